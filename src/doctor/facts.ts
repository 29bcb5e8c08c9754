// What the checks know: gathered once, before the first check runs.

import type { ChannelFigures } from '../../channels/index.js';
import type { OwnerState } from '../base/process-owner.js';
import type { WorkerHealth } from '../membership/worker-health.js';
import type { Settings } from '../site/settings.js';
import type { WorkerRow } from '../store/schema.js';

/** Functions throw `NotRunError` with the reason when their facts could not be gathered. Times are ms since 1970. */
export interface Facts {
  readonly now: number;
  readonly program: ProgramFacts;
  /** Why the configuration cannot be read; null when it can. */
  readonly configurationProblem: string | null;
  readonly site: () => SiteFacts;
  /** Why the database or the channel layer cannot be used; null when they can. */
  readonly databaseProblem: string | null;
  readonly layerProblem: string | null;
  readonly database: () => DatabaseFacts;
  /** What `PRAGMA quick_check` found. */
  readonly integrity: () => readonly string[];
  readonly workers: () => readonly WorkerFacts[];
  readonly rules: () => RuleFacts;
  /** How many mails wait. */
  readonly waitingMails: () => number;
  readonly alarms: () => AlarmFacts;
  readonly layer: () => LayerFacts;
  readonly redis: () => readonly RedisFacts[];
  readonly spools: () => readonly SpoolFacts[];
  /** What is wrong with the newest file of the log. */
  readonly logFaults: () => readonly string[];
}

export interface ProgramFacts {
  readonly linod: string;
  readonly node: string;
  /** The version of Node's zone data, `2026a`. */
  readonly zoneData: string;
  /** Why better-sqlite3 cannot be loaded; null when it can. */
  readonly nativeProblem: string | null;
}

export interface SiteFacts {
  readonly channel: string;
  readonly settings: Settings;
  /** Procedures that cannot be loaded, and why. */
  readonly brokenProcedures: readonly string[];
  /** Which file this user may not read or write. */
  readonly missingRights: readonly string[];
  readonly disks: ReadonlyArray<{ readonly directory: string; readonly freeBytes: number }>;
  /** The write-ahead logs of SQLite files. */
  readonly walFiles: ReadonlyArray<{ readonly path: string; readonly bytes: number }>;
}

export interface DatabaseFacts {
  readonly waitingMigrations: readonly string[];
  readonly unknownMigrations: readonly string[];
  /** How far this machine's clock is ahead of the database's. */
  readonly skewMs: number;
  /** The coroutines that were started. */
  readonly ordered: readonly string[];
}

export interface WorkerFacts
  extends Pick<WorkerRow, 'id' | 'pid' | 'version' | 'started_at' | 'heartbeat_at' | 'procedures'> {
  readonly isSuspended: boolean;
  readonly health: WorkerHealth | null;
}

/** A rule, and what is to be known of it. */
export interface RuleFact {
  readonly id: number;
  readonly name: string;
  readonly procedure: string;
  readonly timezone: string | null;
  readonly nextDueAt: number | null;
  readonly failuresInRow: number;
}

export interface RuleFacts {
  /** The rules that are neither cancelled nor removed. */
  readonly active: readonly RuleFact[];
  /** Rules that a failure has cancelled. */
  readonly cancelledByFailure: readonly string[];
  /** Rules without any run, and how many of their due times have passed. */
  readonly neverRan: ReadonlyMap<number, number>;
  /** Of the newest decisions: how many runs of each rule began late and on time. */
  readonly starts: ReadonlyMap<number, { readonly late: number; readonly onTime: number }>;
  /** Of the newest decisions: how many waited since all job slots were taken. */
  readonly waitedForSlots: number;
}

export interface AlarmFacts {
  /** How many rules must succeed within some time. */
  readonly watchedRules: number;
  /** How many incidents are open. */
  readonly open: number;
  /** Messages that several attempts have not delivered, with the last answer. */
  readonly undelivered: readonly string[];
}

export interface LayerFacts {
  readonly channels: readonly ChannelFigures[];
  /** Workers that answered on this site's channels, and are not in its database. */
  readonly strangers: readonly string[];
}

export interface RedisFacts {
  /** The URL without a password. */
  readonly name: string;
  readonly version: string;
  readonly evictionPolicy: string;
  readonly usedBytes: number;
  /** 0 for no limit. */
  readonly maxBytes: number;
  /** Null where this user may not ask. */
  readonly isPersistent: boolean | null;
  readonly skewMs: number;
}

export interface SpoolFacts {
  readonly name: string;
  readonly bytes: number;
  readonly changedAt: number;
  readonly owner: OwnerState;
}
