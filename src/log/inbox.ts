// What the writer knows of each sender, and what it makes of a batch: to write, to wait for another, or to drop.

import type { Owner } from '../owner.js';
import { offsetAfter } from './batch.js';
import type { LogAnswer, LogRecords, LogSpooled } from './messages.js';

/** How answers get back to a sender. Must not throw. */
export type Reply = (answer: LogAnswer) => void;

/** Where the writer stands with one sender. */
export class Standing {
  readonly sender: string;
  readonly epoch: string;
  /** Up to here everything is on disk, or told to be lost. */
  written: number;
  /** Up to here everything is on disk or about to be written. */
  taken: number;
  /** Whether {@link written} is only what the sender said of a log that this writer does not know. */
  isHearsay = false;
  /** When it was last heard, in ms. */
  heardAt: number;
  owner: Owner | undefined;
  reply: Reply | undefined;
  /** Batches that came too early, by their first number. */
  readonly held = new Map<number, Batch>();
  /** What was told to be lost, as far as it is known: it may still come. */
  readonly lost: Range[] = [];
  /** When the writer last asked for what is missing. */
  askedAt = Number.NEGATIVE_INFINITY;

  constructor(sender: string, epoch: string, written: number, heardAt: number) {
    this.sender = sender;
    this.epoch = epoch;
    this.written = written;
    this.taken = written;
    this.heardAt = heardAt;
  }

  /** Learns, or has found in the log file, that numbers were told to be lost. */
  lose(from: number, to: number): void {
    this.found(to);
    this.lost.push({ from, to });
    if (this.lost.length > maxLost) this.lost.shift();
  }

  /** Learns from the log file that everything up to a number is there. */
  found(number: number): void {
    this.written = Math.max(this.written, number);
    this.taken = Math.max(this.taken, this.written);
  }
}

/**
 * Something to be written, in order, for one sender: numbers `from` … `to`, as far as they are not written yet.
 *
 * - `records`: these, its bytes beginning with the record `from`;
 * - `lost`: they cannot come any more, and a note says so;
 * - `late`: they were told to be lost and came all the same, which a note says before them;
 * - `elsewhere`: they were acknowledged, so they were written; but this file and what is known of it lack them,
 *   since someone removed a file. A note says where the sender goes on.
 */
export interface Entry {
  readonly kind: 'records' | 'lost' | 'late' | 'elsewhere';
  readonly standing: Standing;
  readonly from: number;
  readonly to: number;
  readonly source: Source;
  /** When it came, in ms. */
  readonly arrivedAt: number;
}

/** Numbers `from` … `to`. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Where the records of a batch are. */
export type Source = { readonly bytes: Buffer } | Place;

/** A piece of a file in a spool directory. */
export interface Place {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/** Records that came, or that can be read where their sender laid them down. */
export type Batch = LogRecords | LogSpooled;

const nothing: Source = { bytes: Buffer.alloc(0) };
/** Early batches of all senders together; what is more will be sent again. */
const maxHeldBytes = 8 * 1024 ** 2;
/** Ranges of lost numbers that are remembered of one sender. */
const maxLost = 100;
/** Each batch behind a hole would ask for the same. */
const askEveryMs = 200;

/** Puts batches in order. Knows neither files nor layers. */
export class Inbox {
  readonly #standings = new Map<string, Standing>();
  #heldBytes = 0;

  *[Symbol.iterator](): IterableIterator<Standing> {
    yield* this.#standings.values();
  }

  find(sender: string, epoch: string): Standing | undefined {
    return this.#standings.get(`${sender} ${epoch}`);
  }

  /** The standing of a sender, which may be new. */
  standing(sender: string, epoch: string, now: number): Standing {
    let standing = this.find(sender, epoch);
    if (standing === undefined) {
      standing = new Standing(sender, epoch, 0, now);
      this.#standings.set(`${sender} ${epoch}`, standing);
    }
    return standing;
  }

  forget(standing: Standing): void {
    this.drop(standing);
    this.#standings.delete(`${standing.sender} ${standing.epoch}`);
  }

  /** What is to be written because of a batch; nothing when it was known, or has to wait for an earlier one. */
  accept(batch: Batch, now: number): Entry[] {
    const standing = this.standing(batch.sender, batch.epoch, now);
    const entries = [...this.#fill(standing, batch, now), ...this.#skip(standing, batch, now)];
    if (lastOf(batch) <= standing.taken) return entries;
    if (batch.first > standing.taken + 1) {
      this.#hold(standing, batch);
      return entries;
    }
    this.#take(entries, standing, batch, now);
    this.#takeHeld(entries, standing, now);
    return entries;
  }

  /** Whether a sender with a hole is to be asked for what is missing; notes that it is. */
  shouldAsk(standing: Standing, now: number): boolean {
    const sinceMs = now - standing.askedAt;
    if (standing.held.size === 0 || (sinceMs >= 0 && sinceMs < askEveryMs)) return false;
    standing.askedAt = now;
    return true;
  }

  /** The sender is dead and what is missing is nowhere: what it had sent behind the hole is written after all. */
  giveUpHole(standing: Standing, now: number): Entry[] {
    const entries: Entry[] = [];
    while (standing.held.size > 0) {
      const first = Math.min(...standing.held.keys());
      if (first > standing.taken + 1) entries.push(pass(standing, 'lost', first - 1, now));
      this.#takeHeld(entries, standing, now);
    }
    return entries;
  }

  /** What was taken and not written is to come once more, in another way. */
  retract(standing: Standing): void {
    this.drop(standing);
    standing.taken = standing.written;
  }

  /** Forgets early batches; their sender has them still. */
  drop(standing: Standing): void {
    for (const batch of standing.held.values()) this.#heldBytes -= bytesHeld(batch);
    standing.held.clear();
  }

  /**
   * What a batch has of the records that were told to be lost. Such batches come from spool files that were found late, with
   * their bytes.
   */
  #fill(standing: Standing, batch: Batch, now: number): Entry[] {
    if (standing.lost.length === 0 || batch.type === 'log.spooled') return [];
    const entries: Entry[] = [];
    for (const [index, range] of [...standing.lost.entries()].reverse()) {
      const from = Math.max(range.from, batch.first);
      const to = Math.min(range.to, lastOf(batch));
      if (from > to) continue;
      const bytes = inBuffer(batch.bytes);
      const start = offsetAfter(bytes, from - batch.first);
      const source = { bytes: bytes.subarray(start, offsetAfter(bytes, to - batch.first + 1)) };
      entries.unshift({ kind: 'late', standing, from, to, source, arrivedAt: now });
      const rest = [
        { from: range.from, to: from - 1 },
        { from: to + 1, to: range.to },
      ];
      standing.lost.splice(index, 1, ...rest.filter((part) => part.from <= part.to));
    }
    return entries;
  }

  /** Passes over numbers that the sender does not have any more. */
  #skip(standing: Standing, batch: Batch, now: number): Entry[] {
    const entries: Entry[] = [];
    const isNew = standing.taken === 0 && standing.written === 0;
    if (batch.acked > standing.taken) {
      // Of a sender that was never heard of, the note that begins it says where it goes on.
      if (isNew) {
        standing.found(batch.acked);
        standing.isHearsay = true;
      } else entries.push(pass(standing, 'elsewhere', batch.acked, now));
    }
    if (batch.base > standing.taken + 1) entries.push(pass(standing, 'lost', batch.base - 1, now));
    return entries;
  }

  #hold(standing: Standing, batch: Batch): void {
    if (standing.held.has(batch.first) || this.#heldBytes + bytesHeld(batch) > maxHeldBytes) return;
    standing.held.set(batch.first, batch);
    this.#heldBytes += bytesHeld(batch);
  }

  #take(entries: Entry[], standing: Standing, batch: Batch, now: number): void {
    const to = lastOf(batch);
    standing.taken = to;
    const source = batch.type === 'log.spooled' ? batch : { bytes: inBuffer(batch.bytes) };
    entries.push({ kind: 'records', standing, from: batch.first, to, source, arrivedAt: now });
  }

  #takeHeld(entries: Entry[], standing: Standing, now: number): void {
    const byNumber = [...standing.held.values()].sort((a, b) => a.first - b.first);
    for (const batch of byNumber) {
      if (batch.first > standing.taken + 1) return;
      standing.held.delete(batch.first);
      this.#heldBytes -= bytesHeld(batch);
      if (lastOf(batch) > standing.taken) this.#take(entries, standing, batch, now);
    }
  }
}

function pass(standing: Standing, kind: 'lost' | 'elsewhere', to: number, now: number): Entry {
  const from = standing.taken + 1;
  standing.taken = to;
  return { kind, standing, from, to, source: nothing, arrivedAt: now };
}

function lastOf(batch: Batch): number {
  return batch.first + batch.count - 1;
}

/** What is in a spool file needs no memory here. */
function bytesHeld(batch: Batch): number {
  return batch.type === 'log.spooled' ? 0 : batch.bytes.length;
}

function inBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}
