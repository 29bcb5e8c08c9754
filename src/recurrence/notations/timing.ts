// What all notations are read into.

import type { EveryUnit, MissingTime, RepeatedTime, Weekday } from '../fields.js';

/**
 * When something is due, as a text says it: the fields of a recurrence. The zone, the end and the choices at clock
 * changes are null where the text leaves them open.
 */
export interface Timing {
  readonly everyUnit: EveryUnit;
  readonly every: number;
  readonly weekdays: readonly Weekday[];
  readonly positions: readonly number[];
  readonly cron: string | null;
  /** A wall time, or an open one as in open-start.ts. */
  readonly start: string;
  readonly timezone: string | null;
  readonly until: string | null;
  readonly count: number | null;
  readonly missingTime: MissingTime | null;
  readonly repeatedTime: RepeatedTime | null;
}

/** Every day at midnight: what a text that says nothing would mean. */
export const plainTiming: Timing = {
  everyUnit: 'daily',
  every: 1,
  weekdays: [],
  positions: [],
  cron: null,
  start: 'T00:00:00',
  timezone: null,
  until: null,
  count: null,
  missingTime: null,
  repeatedTime: null,
};
