// From what is to be written to the bytes of one write.

import { offsetAfter } from './batch.js';
import type { Fields } from './fields.js';
import type { Entry, Standing } from './inbox.js';
import type { LedgerNote } from './ledger.js';

/** Formats a note of the writer as a whole record. */
export type NoteFormatter = (level: 'INFO' | 'WARNING', message: string, fields?: Fields) => string;

/** One write, and what is true once it has succeeded. */
export interface Composition {
  readonly buffers: Uint8Array[];
  /** How many of the entries it covers, from the first on. */
  entries: number;
  bytes: number;
  records: number;
  lost: number;
  /** The last number of each sender. */
  readonly written: Map<Standing, number>;
  /** The epochs of labels whose lines change their sender. */
  readonly epochs: Map<string, string>;
}

type AddNote = (level: 'INFO' | 'WARNING', message: string, note: LedgerNote) => void;

const maxWriteBytes = 4 * 1024 ** 2;
/** The system takes at most 1024 buffers at once. */
const maxBuffers = 512;

/**
 * Puts entries together until a write is large enough.
 *
 * @param epochs the epoch of each label's lines at the end of the file
 */
export function compose(
  entries: readonly Entry[],
  epochs: ReadonlyMap<string, string>,
  format: NoteFormatter,
): Composition {
  const result: Composition = {
    buffers: [],
    entries: 0,
    bytes: 0,
    records: 0,
    lost: 0,
    written: new Map(),
    epochs: new Map(),
  };
  const note: AddNote = (level, message, fields) =>
    add(result, Buffer.from(format(level, message, { ...fields })));
  for (const entry of entries) {
    if (result.bytes >= maxWriteBytes || result.buffers.length >= maxBuffers) break;
    result.entries++;
    const written = result.written.get(entry.standing) ?? entry.standing.written;
    // The file was read back in the meantime and had it.
    if (entry.to <= written) continue;
    addTurn(result, entry, written, epochs, note);
    addEntry(result, entry, written, note);
    result.written.set(entry.standing, entry.to);
  }
  return result;
}

/** A note where the lines of a label begin to be another sender's, for whoever reads the file back. */
function addTurn(
  result: Composition,
  { standing: { sender, epoch }, kind, to }: Entry,
  written: number,
  epochs: ReadonlyMap<string, string>,
  note: AddNote,
): void {
  const isTurn = (result.epochs.get(sender) ?? epochs.get(sender)) !== epoch;
  if (!isTurn && kind !== 'elsewhere') return;
  result.epochs.set(sender, epoch);
  const last = kind === 'elsewhere' ? to : written;
  const text = last === 0 ? `${sender} begins` : `${sender} goes on at #${last + 1}`;
  note('INFO', text, { sender, epoch, last });
}

function addEntry(result: Composition, entry: Entry, written: number, note: AddNote): void {
  const { sender, epoch } = entry.standing;
  const from = Math.max(entry.from, written + 1);
  const count = entry.to - from + 1;
  if (entry.kind === 'records') {
    add(result, entry.bytes.subarray(offsetAfter(entry.bytes, from - entry.from)));
    result.records += count;
  } else if (entry.kind === 'lost') {
    const numbers = count === 1 ? `#${from}` : `#${from}-${entry.to}`;
    note('WARNING', `${count} ${count === 1 ? 'record' : 'records'} of ${sender} lost: ${numbers}`, {
      sender,
      epoch,
      from,
      to: entry.to,
    });
    result.lost += count;
  }
}

function add(result: Composition, bytes: Uint8Array): void {
  result.buffers.push(bytes);
  result.bytes += bytes.length;
}
