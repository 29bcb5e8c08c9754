// From what waits to the bytes of one write, senders put in the order of time.

import { offsetAfter } from './batch.js';
import type { Fields } from './fields.js';
import type { Range, Standing } from './inbox.js';
import type { Lane } from './lane.js';
import type { Piece } from './pieces.js';

/** Formats a note of the writer as a whole record. */
export type NoteFormatter = (level: 'INFO' | 'WARNING', message: string, fields?: Fields) => string;

/** One write, and what is true once it has succeeded. */
export interface Composition {
  /** Valid until the next composition. */
  readonly bytes: Buffer;
  /** How many pieces of each lane it covers, from the first on. */
  readonly covered: Map<Lane, number>;
  readonly records: number;
  readonly lost: number;
  /** Which numbers of whom it tells to be lost. */
  readonly losses: Array<Range & { readonly standing: Standing }>;
  /** The last number of each sender. */
  readonly written: Map<Standing, number>;
  /** The epochs of labels whose lines change their sender. */
  readonly epochs: Map<string, string>;
  /** Lanes whose spool files cannot be read, with the reasons. */
  readonly unreadable: Map<Lane, unknown>;
  /** When the next piece is to be written, in ms; undefined when nothing waits for its time. */
  readonly nextAt: number | undefined;
}

/** A write that has so much takes no more. */
const maxWriteBytes = 4 * 1024 ** 2;
const firstBytes = 128 * 1024;

/**
 * Puts pieces together until a write is large enough: each time the earliest of those that are next in their lanes.
 *
 * A piece waits until it is `orderMs` old, so that earlier ones of other senders can come before it. After the clock was set
 * back, what waited by the old time waits no more.
 */
export class Composer {
  readonly #format: NoteFormatter;
  /** Used for every write; grows as need be. */
  #bytes = Buffer.allocUnsafeSlow(firstBytes);
  #length = 0;

  constructor(format: NoteFormatter) {
    this.#format = format;
  }

  /**
   * @param notes finished records of the writer, which come first
   * @param epochs the epoch of each label's lines at the end of the file
   */
  compose(
    lanes: Iterable<Lane>,
    notes: readonly string[],
    epochs: ReadonlyMap<string, string>,
    { now, orderMs }: { readonly now: number; readonly orderMs: number },
  ): Composition {
    this.#length = 0;
    for (const note of notes) this.#addText(note);
    const draft = newDraft(epochs);
    const heads = [...lanes].map((lane) => new Head(lane, draft));
    let nextAt: number | undefined;
    for (;;) {
      const [first, limit] = earliest(heads);
      if (first === undefined) break;
      if (this.#length >= maxWriteBytes) {
        nextAt = now;
        break;
      }
      const dueAt = first.time + orderMs;
      // No piece is later than its arrival: a time that is still to come is from before the clock was set back.
      if (dueAt > now && first.time <= now) {
        nextAt = dueAt;
        break;
      }
      this.#addWhile(first, draft, Math.min(limit, now - orderMs));
    }
    for (const head of heads) if (head.place > 0) draft.covered.set(head.lane, head.place);
    return { ...draft, bytes: this.#bytes.subarray(0, this.#length), nextAt };
  }

  /** Adds of one lane what is not later than another lane's next. */
  #addWhile(head: Head, draft: Draft, limit: number): void {
    do {
      const { piece } = head;
      if (piece === undefined) return;
      this.#add(piece, head.lane.standing, draft);
      head.next();
    } while (head.time <= limit && this.#length < maxWriteBytes);
  }

  #add(piece: Piece, standing: Standing, draft: Draft): void {
    const written = draft.written.get(standing) ?? standing.written;
    if (piece.kind === 'late') {
      this.#addTurn(piece, standing, written, draft);
      this.#addLate(piece, standing, draft);
      return;
    }
    // The file was read back in the meantime and had it, or it came twice.
    if (piece.to <= written) return;
    this.#addTurn(piece, standing, written, draft);
    this.#addPiece(piece, standing, written, draft);
    draft.written.set(standing, piece.to);
  }

  /** A note where the lines of a label begin to be another sender's, for whoever reads the file back. */
  #addTurn({ kind, to }: Piece, { sender, epoch }: Standing, written: number, draft: Draft): void {
    const isTurn = (draft.epochs.get(sender) ?? draft.known.get(sender)) !== epoch;
    if (!isTurn && kind !== 'elsewhere') return;
    draft.epochs.set(sender, epoch);
    const last = kind === 'elsewhere' ? to : written;
    const text = last === 0 ? `${sender} begins` : `${sender} goes on at #${last + 1}`;
    this.#addNote('INFO', text, { sender, epoch, last });
  }

  #addPiece(piece: Piece, standing: Standing, written: number, draft: Draft): void {
    const { sender, epoch } = standing;
    const from = Math.max(piece.from, written + 1);
    const count = piece.to - from + 1;
    if (piece.kind === 'records') {
      const { bytes, start, end } = piece;
      const known = from - piece.from;
      const cut = known === 0 ? start : start + offsetAfter(bytes.subarray(start, end), known);
      this.#reserve(end - cut);
      this.#length += bytes.copy(this.#bytes, this.#length, cut, end);
      draft.records += count;
    } else if (piece.kind === 'lost') {
      const note = { sender, epoch, from, to: piece.to };
      this.#addNote('WARNING', `${numbered(count)} of ${sender} lost: ${numbersOf(from, piece.to)}`, note);
      draft.lost += count;
      draft.losses.push({ standing, from, to: piece.to });
    }
  }

  #addLate({ from, to, bytes, start, end }: Piece, { sender, epoch }: Standing, draft: Draft): void {
    const count = to - from + 1;
    const what = `${numbered(count)} of ${sender} told to be lost ${count === 1 ? 'comes' : 'come'} late: ${numbersOf(from, to)}`;
    this.#addNote('INFO', what, { sender, epoch, late: count });
    this.#reserve(end - start);
    this.#length += bytes.copy(this.#bytes, this.#length, start, end);
    draft.records += count;
  }

  #addNote(level: 'INFO' | 'WARNING', message: string, note: Fields): void {
    this.#addText(this.#format(level, message, { ...note }));
  }

  #addText(text: string): void {
    this.#reserve(Buffer.byteLength(text));
    this.#length += this.#bytes.write(text, this.#length);
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, this.#length + length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

function numbered(count: number): string {
  return `${count} ${count === 1 ? 'record' : 'records'}`;
}

function numbersOf(from: number, to: number): string {
  return from === to ? `#${from}` : `#${from}-${to}`;
}

interface Draft extends Omit<Composition, 'bytes' | 'records' | 'lost' | 'nextAt'> {
  readonly known: ReadonlyMap<string, string>;
  records: number;
  lost: number;
}

function newDraft(known: ReadonlyMap<string, string>): Draft {
  const maps = { covered: new Map(), written: new Map(), epochs: new Map(), unreadable: new Map() };
  return { known, records: 0, lost: 0, losses: [], ...maps };
}

/** How far a composition has come in a lane. */
class Head {
  readonly lane: Lane;
  /** How many pieces were passed. */
  place = 0;
  piece: Piece | undefined;
  /** That of the piece; the end of all times where there is none. */
  time = Number.POSITIVE_INFINITY;
  readonly #draft: Draft;

  constructor(lane: Lane, draft: Draft) {
    this.lane = lane;
    this.#draft = draft;
    this.#look();
  }

  next(): void {
    this.place++;
    this.#look();
  }

  #look(): void {
    try {
      this.piece = this.lane.piece(this.place);
    } catch (error) {
      this.piece = undefined;
      this.#draft.unreadable.set(this.lane, error);
    }
    this.time = this.piece?.time ?? Number.POSITIVE_INFINITY;
  }
}

/** The head with the earliest piece, and the time of the next one after it. */
function earliest(heads: readonly Head[]): [first: Head | undefined, limit: number] {
  let first: Head | undefined;
  let limit = Number.POSITIVE_INFINITY;
  for (const head of heads) {
    if (head.piece === undefined) continue;
    if (first === undefined || head.time < first.time) {
      limit = first?.time ?? limit;
      first = head;
    } else if (head.time < limit) limit = head.time;
  }
  return [first, limit];
}
