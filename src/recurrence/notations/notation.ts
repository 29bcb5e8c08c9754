// What all notations are read into, and what is said of a text that is not understood.

import { LinodError } from '../../errors.js';
import type { EveryUnit, MissingTime, RepeatedTime, Weekday } from '../fields.js';

/** The ways in which people write down when something is due. */
export type NotationName = 'cron' | 'RRULE' | 'words';

/** A piece of a text, and where it begins, counted in characters from 0. */
export interface Piece {
  readonly text: string;
  readonly at: number;
}

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

/** A text that says when something is due was not understood. Points at the piece that is to blame. */
export class NotationError extends LinodError {
  readonly notation: NotationName;
  /** The whole text. */
  readonly text: string;
  /** What is not understood; empty where the text ends too early. */
  readonly found: string;
  /** Where that begins, counted in characters from 0. */
  readonly at: number;

  /** @param problem a clause without the place: `expected a number from 0 to 59, got: "60"` */
  constructor(notation: NotationName, text: string, piece: Piece, problem: string, hint = '') {
    const place = `at character ${piece.at + 1} of ${notation} ${JSON.stringify(text)}`;
    super('LINOD_ERR_NOTATION', `${problem}, ${place}${hint}`);
    this.notation = notation;
    this.text = text;
    this.found = piece.text;
    this.at = piece.at;
  }
}

/** The pieces of a text between blanks. */
export function piecesOf(text: string): Piece[] {
  return Array.from(text.matchAll(/\S+/g), (match) => ({ text: match[0], at: match.index }));
}

/** A number of two digits. */
export function two(number: number): string {
  return String(number).padStart(2, '0');
}
