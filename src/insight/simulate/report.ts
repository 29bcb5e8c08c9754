// The results of a simulation.

import type { ClockNote } from '../../recurrence/recurrence.js';

/** The results for one rule. Durations in ms, instants in ms since 1970 UTC. */
export interface RuleReport {
  readonly rule: number;
  readonly name: string;
  /** How long each of its runs takes. */
  readonly durationMs: number;
  readonly runs: number;
  /** Runs that began more than 5 s after their due time. */
  readonly late: number;
  /** The largest delay of a run after its due time. */
  readonly worstLateMs: number;
  /** Due times at which a run of the rule was still going on, whatever the overlap policy did. */
  readonly overlaps: number;
  /** Due times skipped because a run was still going on. */
  readonly skipped: number;
  /** Times that were not due because of an exclusion or a clock change. */
  readonly notDue: number;
  /** Due times that passed while the rule waited, and that no run made up for. */
  readonly dropped: number;
  /** Due times that an exclusion or a clock change moved. */
  readonly moved: number;
  /** Runs cancelled to let the next one begin. */
  readonly cancelled: number;
  /** Runs that timed out. */
  readonly timeouts: number;
}

/** A maximum, and when it was first reached. */
export interface Peak {
  readonly count: number;
  /** Null when there was none. */
  readonly at: number | null;
  /** The numbers of the rules, each once. */
  readonly rules: readonly number[];
}

/** The effect of a clock change on one time of a rule. */
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
  readonly slots: number;
  readonly runs: number;
  readonly rules: readonly RuleReport[];
  /** The most runs at once. */
  readonly mostRunning: Peak;
  /** The most rules that were due at once and could not start. */
  readonly mostWaiting: Peak;
  /** How long all slots were taken, in all. */
  readonly fullMs: number;
  /** How long nothing ran, in all and at a stretch. */
  readonly idleMs: number;
  readonly longestIdle: { readonly from: number; readonly to: number };
  /** For each hour of the day in the site's zone, how long something ran. */
  readonly busyMsByHour: readonly number[];
  readonly clockChanges: readonly ClockChangeReport[];
  /** What no simulation includes, in words. */
  readonly notSimulated: typeof notSimulated;
  /**
   * Rules whose recent runs include failed, timed out or lost ones. The simulation ignores the consequences.
   */
  readonly failures: ReadonlyArray<{
    readonly rule: number;
    readonly name: string;
    readonly failed: number;
    /** How many recent runs were examined. */
    readonly of: number;
  }>;
  /** Rules that cannot be read, with the reason. */
  readonly broken: ReadonlyArray<{ readonly rule: number; readonly name: string; readonly error: string }>;
}

/** What a simulation omits. Failures are not predictable, and a random run would look like a forecast. */
export const notSimulated = [
  'failures and what follows from them: further attempts, rules that are cancelled',
  'requests',
  'outages',
] as const;
