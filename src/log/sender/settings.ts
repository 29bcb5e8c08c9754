// What a site says about the way of records from a logger to the log.

import { join } from 'node:path';
import type { FormatName } from '../../site/log-settings.js';
import type { Site } from '../../site/site.js';
import { readCheckpoint } from '../writer/checkpoint.js';
import type { SpoolLimits } from './spool.js';

export interface SenderSettings {
  /** Where records wait that are not acknowledged; shared by all senders of a site on one machine. */
  readonly spoolDirectory: string;
  /** The zone of the times in the log; the system's when left out. */
  readonly timezone?: string | undefined;
  /** How records are written; default `text`. */
  readonly format?: FormatName | undefined;
  /** A record waits at most so long for others to go with it, in ms; default 40. */
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

/** For a site that is not loaded: the usual directory, and records as the writer of its log last wrote them, if that is known. */
export function settingsWithoutSite(directory: string): SenderSettings {
  const spoolDirectory = join(directory, 'log', 'spool');
  try {
    const { format, timezone } = readCheckpoint(join(directory, 'log', 'lino.log'));
    return { spoolDirectory, format, timezone };
  } catch {
    return { spoolDirectory }; // no worker has written there yet
  }
}
