// A cron expression, read: which seconds, minutes, hours and days it means.

/** Days of the week, 0 for Monday to 6 for Sunday, that a cron expression means. */
export interface CronWeekday {
  readonly weekday: number;
  /** `5#2` is the second (2), `5L` the last (-1) of the month; null for each. */
  readonly position: number | null;
}

/** What a cron expression says; see notations/cron.ts for how it is written. */
export interface CronExpression {
  /** In one spelling: fields parted by one space, names in lower case. */
  readonly text: string;
  /** Each from 0 to 59, each once, in order; `[0]` where there are five fields. */
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** Days of the month from 1 on; 0 is the last one (`L`), -3 the one three days before that (`L-3`). */
  readonly days: readonly number[];
  /** From 1 to 12. */
  readonly months: readonly number[];
  readonly weekdays: readonly CronWeekday[];
  /** Whether both kinds of days are given, so that a day is meant where either fits; else both have to. */
  readonly eitherDay: boolean;
  /** Whether seconds, minutes or hours begin with `*`, so that it stands for an interval, not for times of day. */
  readonly isInterval: boolean;
}
