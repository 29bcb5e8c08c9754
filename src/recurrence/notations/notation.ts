// The common result of all notations, and the error for an invalid text.

import { LinodError } from '../../base/errors.js';
import type { EveryUnit, MissingTime, RepeatedTime, Weekday } from '../fields.js';

/** The notations in which people write when something is due. */
export type NotationName = 'cron' | 'RRULE' | 'words';

/** A part of a text, and its offset in characters from 0. */
export interface Token {
  readonly text: string;
  readonly at: number;
}

/**
 * When something is due, as a text says it: the fields of a recurrence. The zone, the end and the choices at
 * clock changes are null where the text does not fix them.
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

/** Every day at midnight: the values for everything that a text leaves open. */
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

/** A text that says when something is due is invalid. Points at the invalid part. */
export class NotationError extends LinodError {
  readonly notation: NotationName;
  /** The whole text. */
  readonly text: string;
  /** The invalid part; empty where the text ends too early. */
  readonly found: string;
  /** The offset of that part in characters from 0. */
  readonly at: number;

  /** @param problem a clause without the position: `expected a number from 0 to 59, got: "60"` */
  constructor(notation: NotationName, text: string, token: Token, problem: string, hint = '') {
    const position = `at character ${token.at + 1} of ${notation} ${JSON.stringify(text)}`;
    super('LINOD_ERR_NOTATION', `${problem}, ${position}${hint}`);
    this.notation = notation;
    this.text = text;
    this.found = token.text;
    this.at = token.at;
  }
}

/** Splits a text at blanks. */
export function tokensOf(text: string): Token[] {
  return Array.from(text.matchAll(/\S+/g), (match) => ({ text: match[0], at: match.index }));
}

/** A number of two digits. */
export function two(number: number): string {
  return String(number).padStart(2, '0');
}
