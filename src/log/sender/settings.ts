// The settings of a sender, taken from its site.

import { join } from 'node:path';
import type { FormatName } from '../../site/log-settings.js';
import type { Site } from '../../site/site.js';
import { readCheckpoint } from '../writer/checkpoint.js';
import type { SpoolLimits } from './spool.js';

export interface SenderSettings {
  /** Where unacknowledged records wait; shared by all senders of a site on one machine. */
  readonly spoolDirectory: string;
  /** The time zone of the log; default: the system's. */
  readonly timezone?: string | undefined;
  /** The format of records; default `text`. */
  readonly format?: FormatName | undefined;
  /** How long a record waits for others of its batch, in ms; default 40. */
  readonly gatherMs?: number | undefined;
  readonly limits?: Partial<SpoolLimits> | undefined;
}

export function senderSettings({ spoolDirectory, settings }: Site): SenderSettings {
  return {
    spoolDirectory,
    timezone: settings.timezone,
    format: settings.logFormat,
    gatherMs: settings.logGatherMs,
    limits: {
      diskBytes: settings.logSpoolMegabytes * 1024 ** 2,
      keeps: settings.logSpoolKeeps,
      blockMs: settings.logBlockMs,
      syncs: settings.logSync === 'always',
    },
  };
}

/**
 * For a site that is not loaded: the default directory, with format and time zone of the writer's checkpoint
 * if there is one.
 */
export function settingsWithoutSite(directory: string): SenderSettings {
  const spoolDirectory = join(directory, 'log', 'spool');
  try {
    const { format, timezone } = readCheckpoint(join(directory, 'log', 'lino.log'));
    return { spoolDirectory, format, timezone };
  } catch {
    return { spoolDirectory }; // no worker has written there yet
  }
}
