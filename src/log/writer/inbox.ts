// What the writer knows of each sender, and what it makes of a batch: records to write, or nothing.

import type { Owner } from '../../base/process-owner.js';
import { lastOf, readBatch } from '../batch.js';
import type { Instants } from '../format/instants.js';
import type { LogRecords } from '../messages.js';
import type { Reply } from '../sender/transport.js';
import type { CarriedPosition } from './ledger.js';

/** Where the writer stands with one sender. */
export class Standing {
  readonly sender: string;
  readonly epoch: string;
  /** Up to here everything is on disk, or told to be lost. */
  written = 0;
  /** Up to here everything is on disk or waits to be written. */
  taken = 0;
  /** The highest number that was heard of. What is above `taken` came behind a hole. */
  heard = 0;
  /** When it was last heard, in ms. */
  heardAt: number;
  owner: Owner | undefined;
  reply: Reply | undefined;
  /** The place in time of its last record that waits; none of its records comes before it. */
  time = Number.NEGATIVE_INFINITY;

  constructor(sender: string, epoch: string, heardAt: number) {
    this.sender = sender;
    this.epoch = epoch;
    this.heardAt = heardAt;
  }

  /** Learns from the log file that everything up to a number is there. */
  found(number: number): void {
    this.written = Math.max(this.written, number);
    this.taken = Math.max(this.taken, this.written);
    this.heard = Math.max(this.heard, this.taken);
  }
}

/**
 * Something to be written, in order, for one sender: numbers `from` … `to`.
 *
 * - `records`: these bytes, whole records logged at one time;
 * - `lost`: they cannot come any more, and a note says so;
 * - `elsewhere`: they were acknowledged, so they were written; but this file and what is known of it lack them, since
 *   someone removed a file. A note says where the sender goes on.
 */
export interface Piece {
  readonly kind: 'records' | 'lost' | 'elsewhere';
  readonly standing: Standing;
  readonly from: number;
  readonly to: number;
  readonly bytes: Buffer;
  /** Its place among the pieces of other senders, in ms. */
  readonly time: number;
}

const nothing = Buffer.alloc(0);

/** Knows neither files nor layers. */
export class Inbox {
  readonly #standings = new Map<string, Standing>();
  readonly #instants: Instants | undefined;

  /** @param instants reads the times of records; left out where the order of arrival is what counts */
  constructor(instants?: Instants) {
    this.#instants = instants;
  }

  *[Symbol.iterator](): IterableIterator<Standing> {
    yield* this.#standings.values();
  }

  /** How far the log is with each sender. */
  get positions(): CarriedPosition[] {
    const known = [...this].filter(({ written }) => written > 0);
    return known.map(({ sender, epoch, written }): CarriedPosition => [sender, epoch, written]);
  }

  /** The standing of a sender, which may be new. */
  standing(sender: string, epoch: string, now: number): Standing {
    const key = keyOf({ sender, epoch });
    let standing = this.#standings.get(key);
    if (standing === undefined) {
      standing = new Standing(sender, epoch, now);
      this.#standings.set(key, standing);
    }
    return standing;
  }

  forget(standing: Standing): void {
    this.#standings.delete(keyOf(standing));
  }

  /**
   * What is to be written because of a batch: nothing when it was known, or comes behind a hole. Then its sender will send what
   * is missing, and it again.
   *
   * @throws BadBatchError when it is not what it says
   */
  accept(batch: LogRecords, now: number): Piece[] {
    const whole = inBuffer(batch.bytes);
    const cuts = this.#cut(batch, whole);
    const standing = this.standing(batch.sender, batch.epoch, now);
    standing.heard = Math.max(standing.heard, lastOf(batch));
    const pieces: Piece[] = [];
    const pass = (kind: 'lost' | 'elsewhere', to: number) => {
      if (to > standing.taken) pieces.push(this.#pass(standing, kind, to, now));
    };
    pass('elsewhere', batch.acked);
    pass('lost', batch.base - 1);
    if (batch.first > standing.taken + 1) return pieces;
    for (const { from, to, begin, end, at } of cuts) {
      if (to <= standing.taken) continue;
      // A clock that is ahead must not keep anybody waiting.
      standing.time = Math.max(standing.time, Math.min(at, now));
      standing.taken = to;
      const bytes = whole.subarray(begin, end);
      pieces.push({ kind: 'records', standing, from, to, bytes, time: standing.time });
    }
    return pieces;
  }

  /** The sender is dead, and what is missing is nowhere: it is told with what had come behind it. */
  giveUpHole(standing: Standing, now: number): Piece {
    return this.#pass(standing, 'lost', standing.heard, now);
  }

  #pass(standing: Standing, kind: 'lost' | 'elsewhere', to: number, now: number): Piece {
    const from = standing.taken + 1;
    standing.taken = to;
    standing.heard = Math.max(standing.heard, to);
    standing.time = Math.max(standing.time, now);
    return { kind, standing, from, to, bytes: nothing, time: standing.time };
  }

  /** Checks the records of a batch. @returns runs of those that were logged at one time, or that are known alike */
  #cut(batch: LogRecords, bytes: Buffer): Cut[] {
    const known = this.#standings.get(keyOf(batch))?.taken ?? 0;
    const cuts: Cut[] = [];
    let last: Cut | undefined;
    let [time, begin] = ['', 0];
    readBatch(bytes, batch.sender, batch, (head, end) => {
      const { number } = head;
      if (
        last !== undefined &&
        number !== known + 1 &&
        (this.#instants === undefined || head.time === time)
      ) {
        last.to = number;
        last.end = end;
      } else {
        time = head.time;
        const at = this.#instants?.of(time) || Number.POSITIVE_INFINITY;
        last = { from: number, to: number, begin, end, at };
        cuts.push(last);
      }
      begin = end;
    });
    return cuts;
  }
}

/** Records `from` … `to`, which stand in the bytes `begin` … `end`. */
interface Cut {
  readonly from: number;
  to: number;
  readonly begin: number;
  end: number;
  /** When it was logged, in ms. */
  readonly at: number;
}

function keyOf({ sender, epoch }: Pick<Standing, 'sender' | 'epoch'>): string {
  return `${sender} ${epoch}`;
}

function inBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}
