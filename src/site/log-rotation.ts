// How the settings say that the log is rotated.

import type { RotationPolicy } from '../log/rotation.js';
import type { Settings } from './settings.js';

/** Undefined when the log is left to others, such as logrotate: then their rotated files are theirs, too. */
export function rotationOf(settings: Settings): RotationPolicy | undefined {
  const { logRotate: every, logRotateMegabytes, logKeepFiles, logKeepDays, logCompress } = settings;
  if (every === 'never' && logRotateMegabytes === 0) return undefined;
  return {
    every,
    maxBytes: logRotateMegabytes * 1e6,
    keepFiles: logKeepFiles,
    keepDays: logKeepDays,
    compress: logCompress,
  };
}
