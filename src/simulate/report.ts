// What a simulation found out.

import type { ClockNote } from '../recurrence.js';

/** What became of the due times of one rule. Times in milliseconds, instants since 1970 UTC. */
export interface RuleReport {
  readonly rule: number;
  readonly name: string;
  /** How long each of its runs takes. */
  readonly durationMs: number;
  readonly runs: number;
  /** Runs that began more than 5 s after their due time. */
  readonly late: number;
  /** The latest begin of all, after its due time. */
  readonly worstLateMs: number;
  /** Due times at which a run of the rule still went on, whatever became of them. */
  readonly overlaps: number;
  /** Due times that were skipped since a run still went on. */
  readonly skipped: number;
  /** Times that came to nothing since they are excluded, or since of a clock change. */
  readonly leftOut: number;
  /** Due times that passed while the rule waited, and were not made up for. */
  readonly dropped: number;
  /** Due times that were put off, or moved by a clock change. */
  readonly moved: number;
  /** Runs that were ended so that the next one could begin. */
  readonly cancelled: number;
  /** Runs that took too long. */
  readonly timeouts: number;
}

/** The highest of something, and when it was reached first. */
export interface Peak {
  readonly count: number;
  /** Null when there was none. */
  readonly at: number | null;
  /** The numbers of the rules, each once. */
  readonly rules: readonly number[];
}

/** What a clock change did to a time of a rule. */
export interface ClockEffect {
  readonly rule: number;
  readonly name: string;
  readonly wall: string;
  readonly note: ClockNote;
}

export interface ClockChangeReport {
  readonly at: number;
  readonly timezone: string;
  readonly changeMs: number;
  readonly effects: readonly ClockEffect[];
}

export interface SimulationReport {
  readonly from: number;
  readonly to: number;
  readonly places: number;
  readonly runs: number;
  readonly rules: readonly RuleReport[];
  /** Runs at once. */
  readonly mostRunning: Peak;
  /** Rules at once that were due and could not start. */
  readonly mostWaiting: Peak;
  /** For how long all places were taken. */
  readonly fullMs: number;
  /** For how long nothing ran, and the longest such time. */
  readonly idleMs: number;
  readonly longestIdle: { readonly from: number; readonly to: number };
  /** By hour of the day in the site's zone: for how long something ran. */
  readonly busyMsByHour: readonly number[];
  readonly clockChanges: readonly ClockChangeReport[];
  /** What is left out of every simulation, in words. */
  readonly notSimulated: typeof notSimulated;
  /** Rules of whose newest runs some failed, took too long or were lost: so much of what will follow is left out. */
  readonly failures: ReadonlyArray<{
    readonly rule: number;
    readonly name: string;
    readonly failed: number;
    /** How many runs were looked at. */
    readonly of: number;
  }>;
  /** Rules that cannot be read, and why. */
  readonly broken: ReadonlyArray<{ readonly rule: number; readonly name: string; readonly error: string }>;
}

/**
 * What a simulation leaves out. When something fails is not known before, and one run of chance would look like a
 * forecast.
 */
export const notSimulated = [
  'failures and what follows from them: further attempts, rules that are cancelled',
  'requests',
  'outages',
] as const;
