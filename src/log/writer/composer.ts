// From pieces in their order to the bytes of one write.

import { offsetAfter } from '../batch.js';
import type { Fields } from '../fields.js';
import type { Piece, Standing } from './inbox.js';

/** Formats a note of the writer as a whole record. */
export type NoteFormatter = (level: 'INFO' | 'WARNING', message: string, fields?: Fields) => string;

/** One write, and what is true once it has succeeded. */
export interface Composition {
  readonly bytes: Buffer;
  readonly records: number;
  readonly lost: number;
  /** The last number of each sender. */
  readonly written: ReadonlyMap<Standing, number>;
  /** The epochs of labels whose lines change their sender. */
  readonly epochs: ReadonlyMap<string, string>;
}

/**
 * @param notes finished records of the writer, which come first
 * @param known the epoch of each label's lines at the end of the file
 */
export function compose(
  pieces: readonly Piece[],
  notes: readonly string[],
  known: ReadonlyMap<string, string>,
  format: NoteFormatter,
): Composition {
  const parts: Buffer[] = notes.map((note) => Buffer.from(note));
  const written = new Map<Standing, number>();
  const epochs = new Map<string, string>();
  let [records, lost] = [0, 0];
  for (const piece of pieces) {
    const { kind, standing, to } = piece;
    const { sender, epoch } = standing;
    const last = written.get(standing) ?? standing.written;
    // The file may have been read back in the meantime, and have some of it.
    if (to <= last) continue;
    const from = Math.max(piece.from, last + 1);
    // A note where the lines of a label begin to be another sender's, for whoever reads the file back.
    if (kind === 'elsewhere' || (epochs.get(sender) ?? known.get(sender)) !== epoch) {
      epochs.set(sender, epoch);
      parts.push(Buffer.from(turnNote(standing, kind === 'elsewhere' ? to : last, format)));
    }
    if (kind === 'lost') {
      parts.push(Buffer.from(lostNote(standing, from, to, format)));
      lost += to - from + 1;
    }
    if (kind === 'records') {
      parts.push(
        from === piece.from ? piece.bytes : piece.bytes.subarray(offsetAfter(piece.bytes, from - piece.from)),
      );
      records += to - from + 1;
    }
    written.set(standing, to);
  }
  return { bytes: Buffer.concat(parts), records, lost, written, epochs };
}

function turnNote({ sender, epoch }: Standing, last: number, format: NoteFormatter): string {
  const text = last === 0 ? `${sender} begins` : `${sender} goes on at #${last + 1}`;
  return format('INFO', text, { sender, epoch, last });
}

function lostNote({ sender, epoch }: Standing, from: number, to: number, format: NoteFormatter): string {
  const count = to - from + 1;
  const numbers = count === 1 ? `#${from}` : `#${from}-${to}`;
  const text = `${count} ${count === 1 ? 'record' : 'records'} of ${sender} lost: ${numbers}`;
  return format('WARNING', text, { sender, epoch, from, to });
}
