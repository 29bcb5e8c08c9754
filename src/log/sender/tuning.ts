// What a site's settings say about the way of records from a logger to the log.

import type { Settings } from '../../site/settings.js';
import type { SpoolKeeps, SyncPolicy } from '../policies.js';

export interface SenderTuning {
  /** A record waits at most so long for others to go with it, in ms. */
  readonly gatherMs: number;
  /** A write to the spool that took longer, in ms, is followed by a time in which records are kept in memory only. */
  readonly blockMs: number;
  /** All spool files of one sender together, in bytes. */
  readonly spoolBytes: number;
  readonly spoolKeeps: SpoolKeeps;
  readonly sync: SyncPolicy;
}

export const defaultTuning: SenderTuning = {
  gatherMs: 40,
  blockMs: 200,
  spoolBytes: 256 * 1024 ** 2,
  spoolKeeps: 'oldest',
  sync: 'batch',
};

export function senderTuning(settings: Settings): SenderTuning {
  return {
    gatherMs: settings.logGatherMs,
    blockMs: settings.logBlockMs,
    spoolBytes: settings.logSpoolMegabytes * 1024 ** 2,
    spoolKeeps: settings.logSpoolKeeps,
    sync: settings.logSync,
  };
}
