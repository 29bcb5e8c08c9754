// What a site says about the way of records from a logger to the log.

import type { FormatName } from '../../site/log-settings.js';
import type { Site } from '../../site.js';
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
