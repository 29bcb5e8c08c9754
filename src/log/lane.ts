// What waits to be written for one sender.

import type { Entry, Standing } from './inbox.js';
import { bytesHeld, type Cut, cutPieces, NotTheseRecordsError, type Piece } from './pieces.js';
import type { RecordTimes } from './record-times.js';
import type { SpoolReader } from './spool-reader.js';

/** From what and how a lane makes its pieces. */
export interface LaneOptions {
  readonly spools: SpoolReader;
  /** Undefined when senders are not put in order. */
  readonly times: RecordTimes | undefined;
}

/**
 * A queue of entries of one sender. Those that lie in a spool file are read when they are to be written, a piece of the
 * file at a time: however much waits, it takes no memory.
 */
export class Lane {
  readonly standing: Standing;
  readonly #options: LaneOptions;
  #entries: Entry[] = [];
  /** Of the first entries, as far as they were read. */
  #pieces: Piece[] = [];
  /** How much of the first entry was read: up to which number, and how many bytes. */
  #readTo = 0;
  #readBytes = 0;
  /** What was read of spool files, by the last number in it. */
  readonly #chunks: Array<{ readonly to: number; readonly bytes: Buffer }> = [];
  /** The batches that came with their bytes, by their last number. */
  readonly #held: Array<{ readonly to: number; readonly bytes: number }> = [];

  constructor(standing: Standing, options: LaneOptions) {
    this.standing = standing;
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#pieces.length === 0 && this.#entries.length === 0;
  }

  /** What waits in memory, apart from what is just read. */
  get bytesHeld(): number {
    return this.#held.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  add(entry: Entry): void {
    this.#entries.push(entry);
    const bytes = bytesHeld(entry.source);
    if (bytes > 0) this.#held.push({ to: entry.to, bytes });
  }

  /**
   * The piece at a place, counted from the first that waits; undefined when there are not so many.
   *
   * @throws NotTheseRecordsError, or the system's error, when a spool file does not hold what it should
   */
  piece(place: number): Piece | undefined {
    while (place >= this.#pieces.length) if (!this.#readOn()) return undefined;
    return this.#pieces[place];
  }

  /** The first pieces were written. @returns how many bytes do not wait in memory any more */
  drop(count: number): number {
    const last = this.#pieces.splice(0, count).at(-1)?.to ?? 0;
    for (let chunk = this.#chunks[0]; chunk !== undefined && chunk.to <= last; chunk = this.#chunks[0]) {
      this.#options.spools.recycle(chunk.bytes);
      this.#chunks.shift();
    }
    let freed = 0;
    while (this.#held[0] !== undefined && this.#held[0].to <= last) freed += this.#held.shift()?.bytes ?? 0;
    return freed;
  }

  /** Cuts some more of the first entry; false when there is none. */
  #readOn(): boolean {
    const entry = this.#entries[0];
    if (entry === undefined) return false;
    if (entry.kind === 'lost' || entry.kind === 'elsewhere') {
      const { kind, from, to } = entry;
      this.#pieces.push({ kind, from, to, bytes: nothing, start: 0, end: 0, time: Number.NEGATIVE_INFINITY });
      this.#entries.shift();
      return true;
    }
    const bytes = this.#bytesOf(entry);
    const from = this.#readBytes === 0 ? entry.from : this.#readTo + 1;
    // What is late has a note of its own and stays in one piece.
    const times = entry.kind === 'late' ? undefined : this.#options.times;
    const cut: Cut = { kind: entry.kind, times, arrivedAt: entry.arrivedAt };
    const pieces = cutPieces(bytes, this.standing.sender, from, entry.to, cut);
    const last = pieces.at(-1);
    if (last === undefined) throw new NotTheseRecordsError(`#${from} is not whole`);
    for (const piece of pieces) this.#pieces.push(piece);
    if (!('bytes' in entry.source)) this.#chunks.push({ to: last.to, bytes });
    this.#readTo = last.to;
    this.#readBytes += last.end;
    if (last.to === entry.to) {
      this.#entries.shift();
      this.#readBytes = 0;
    }
    return true;
  }

  #bytesOf({ source }: Entry): Buffer {
    if ('bytes' in source) return source.bytes;
    const { file, offset, length } = source;
    return this.#options.spools.read(file, offset + this.#readBytes, length - this.#readBytes);
  }
}

const nothing = Buffer.alloc(0);
