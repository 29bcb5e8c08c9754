// The log writer's own notes, as they concern the reading of a log.

import { type CarriedPosition, type LedgerNote, noteLogger, parseNote } from '../ledger.js';
import type { ReadHead } from './head.js';

/**
 * - `begin`: a log file begins, after the one with the fingerprint `after` if there was one;
 * - `positions`: the files before hold the records of these senders, up to the numbers;
 * - `turn`: from here on the lines of `sender` are of `epoch`, and up to `last` all was written before;
 * - `lost`: the numbers `from` … `to` cannot come any more.
 */
export type LogNote =
  | { readonly kind: 'begin'; readonly after: string | undefined }
  | { readonly kind: 'positions'; readonly positions: readonly CarriedPosition[] }
  | { readonly kind: 'turn'; readonly sender: string; readonly epoch: string; readonly last: number }
  | {
      readonly kind: 'lost';
      readonly sender: string;
      readonly epoch: string;
      readonly from: number;
      readonly to: number;
    };

/** What a note of the writer says to programs; undefined when that is nothing. */
export function readNote(head: ReadHead, bytes: Buffer, start: number, end: number): LogNote | undefined {
  if (head.sender !== undefined || head.logger.text !== noteLogger) return undefined;
  const note = parseNote(bytes.toString('utf8', start, end));
  return note && noteOf(note);
}

function noteOf(note: LedgerNote): LogNote | undefined {
  if ('file' in note) return { kind: 'begin', after: note.after };
  if ('positions' in note) {
    return { kind: 'positions', positions: note.positions.filter(([, , last]) => isNumber(last)) };
  }
  if ('last' in note) return isNumber(note.last) ? { kind: 'turn', ...note } : undefined;
  const isRange = isNumber(note.from) && isNumber(note.to) && note.from > 0 && note.to >= note.from;
  return isRange ? { kind: 'lost', ...note } : undefined;
}

function isNumber(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
