// The checked fields of a recurrence, for the rest of this folder.

import type { EveryUnit, MissingTime, RepeatedTime } from './fields.js';
import type { CronExpression } from './notations/cron.js';
import type { Zone } from './time/zone.js';

/** Checked fields, ready for calculation; wall times as in wall-time.ts. */
export type CheckedFields = CheckedKind & CommonFields;

/** Only the unit `cron` has a cron expression. */
export type CheckedKind =
  | { readonly everyUnit: 'cron'; readonly cron: CronExpression }
  | { readonly everyUnit: Exclude<EveryUnit, 'cron'>; readonly cron: null };

interface CommonFields {
  readonly every: number;
  /** 0 for Monday to 6 for Sunday, unique and in order. */
  readonly weekdays: readonly number[];
  readonly positions: readonly number[];
  readonly timezone: string;
  readonly zone: Zone;
  readonly startWall: number;
  /** Infinity when there is no end. */
  readonly untilWall: number;
  readonly count: number | null;
  readonly missingTime: MissingTime;
  readonly repeatedTime: RepeatedTime;
}
