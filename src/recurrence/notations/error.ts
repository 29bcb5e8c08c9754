// What is wrong with a text that says when something is due.

import { LinodError } from '../../errors.js';

/** The ways in which people write down when something is due. */
export type NotationName = 'cron' | 'RRULE' | 'words';

/** A piece of a text, and where it begins, counted in characters from 0. */
export interface Piece {
  readonly text: string;
  readonly at: number;
}

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
