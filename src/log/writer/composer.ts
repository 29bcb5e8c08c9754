// From pieces in their order to the bytes of one write.

import { offsetAfter } from '../batch.js';
import type { Piece, Standing } from './inbox.js';
import type { Notes } from './notes.js';

/** One write, and what is true once it has succeeded. */
export interface Composition {
  readonly bytes: Buffer;
  /** The last number of each sender. */
  readonly written: ReadonlyMap<Standing, number>;
  /** The epochs of labels whose lines change their sender. */
  readonly epochs: ReadonlyMap<string, string>;
}

/**
 * @param own finished records of the writer, which come first
 * @param known the epoch of each label's lines at the end of the file
 */
export function compose(
  pieces: readonly Piece[],
  own: readonly string[],
  known: ReadonlyMap<string, string>,
  notes: Notes,
): Composition {
  const parts: Buffer[] = own.map((note) => Buffer.from(note));
  const written = new Map<Standing, number>();
  const epochs = new Map<string, string>();
  for (const { kind, standing, from: first, to, bytes } of pieces) {
    const { sender, epoch } = standing;
    const last = written.get(standing) ?? standing.written;
    // The file may have been read back in the meantime, and have some of it.
    if (to <= last) continue;
    const from = Math.max(first, last + 1);
    // A note where the lines of a label begin to be another sender's, for whoever reads the file back.
    if (kind === 'elsewhere' || (epochs.get(sender) ?? known.get(sender)) !== epoch) {
      epochs.set(sender, epoch);
      parts.push(Buffer.from(notes.turn(standing, kind === 'elsewhere' ? to : last)));
    }
    if (kind === 'lost') parts.push(Buffer.from(notes.lost(standing, from, to)));
    if (kind === 'records')
      parts.push(from === first ? bytes : bytes.subarray(offsetAfter(bytes, from - first)));
    written.set(standing, to);
  }
  return { bytes: Buffer.concat(parts), written, epochs };
}
