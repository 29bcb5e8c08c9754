// Turns entries into the bytes of one write.

import { offsetAfter } from '../batch.js';
import type { QueueEntry, SenderState } from './inbox.js';
import type { Notes } from './notes.js';

/** One write, and what holds once it has succeeded. */
export interface Composition {
  readonly bytes: Buffer;
  /** The last number of each sender. */
  readonly written: ReadonlyMap<SenderState, number>;
  /** The new epochs of labels that change their sender in this write. */
  readonly epochs: ReadonlyMap<string, string>;
  /** What is in the write. */
  readonly tallies: readonly Tally[];
}

/** How many records of a sender were written, or reported as lost. */
export interface Tally {
  readonly sender: string;
  readonly kind: QueueEntry['kind'];
  readonly count: number;
}

/**
 * @param own the writer's own records, which come first
 * @param known the epoch of each label at the end of the file
 */
export function compose(
  entries: readonly QueueEntry[],
  own: readonly string[],
  known: ReadonlyMap<string, string>,
  notes: Notes,
): Composition {
  const parts: Buffer[] = own.map((note) => Buffer.from(note));
  const written = new Map<SenderState, number>();
  const epochs = new Map<string, string>();
  const tallies: Tally[] = [];
  for (const { kind, state, from: first, to, bytes } of entries) {
    const { sender, epoch } = state;
    const last = written.get(state) ?? state.written;
    // The file may have been read back meanwhile, and may hold some of these records.
    if (to <= last) continue;
    const from = Math.max(first, last + 1);
    // A note marks where a label changes its sender. Reading the file back relies on it.
    if (kind === 'elsewhere' || (epochs.get(sender) ?? known.get(sender)) !== epoch) {
      epochs.set(sender, epoch);
      parts.push(Buffer.from(notes.turn(state, kind === 'elsewhere' ? to : last)));
    }
    if (kind === 'lost') parts.push(Buffer.from(notes.lost(state, from, to)));
    if (kind === 'records')
      parts.push(from === first ? bytes : bytes.subarray(offsetAfter(bytes, from - first)));
    tallies.push({ sender, kind, count: to - from + 1 });
    written.set(state, to);
  }
  return { bytes: Buffer.concat(parts), written, epochs, tallies };
}
