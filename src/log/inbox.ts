// What the writer knows of each sender, and what it makes of a batch: to write, to wait for another, or to drop.

import type { Owner } from '../owner.js';
import type { LogAnswer, LogRecords } from './messages.js';

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
  /** When it was last heard, in ms. */
  heardAt: number;
  owner: Owner | undefined;
  reply: Reply | undefined;
  /** Batches that came too early, by their first number. */
  readonly held = new Map<number, LogRecords>();
  /** When the writer last asked for what is missing. */
  askedAt = Number.NEGATIVE_INFINITY;

  constructor(sender: string, epoch: string, written: number, heardAt: number) {
    this.sender = sender;
    this.epoch = epoch;
    this.written = written;
    this.taken = written;
    this.heardAt = heardAt;
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
 * - `records`: these, `bytes` beginning with the record `from`;
 * - `lost`: they cannot come any more, and a note says so;
 * - `elsewhere`: they were acknowledged, so they were written; but this file and what is known of it lack them,
 *   since someone removed a file. A note says where the sender goes on.
 */
export interface Entry {
  readonly kind: 'records' | 'lost' | 'elsewhere';
  readonly standing: Standing;
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

const nothing = new Uint8Array(0);
/** Early batches of all senders together; what is more will be sent again. */
const maxHeldBytes = 8 * 1024 ** 2;
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
  accept(batch: LogRecords, now: number): Entry[] {
    const standing = this.standing(batch.sender, batch.epoch, now);
    const entries = this.#skip(standing, batch);
    if (lastOf(batch) <= standing.taken) return entries;
    if (batch.first > standing.taken + 1) {
      this.#hold(standing, batch);
      return entries;
    }
    this.#take(entries, standing, batch);
    this.#takeHeld(entries, standing);
    return entries;
  }

  /** Whether a sender with a hole is to be asked for what is missing; notes that it is. */
  shouldAsk(standing: Standing, now: number): boolean {
    if (standing.held.size === 0 || now - standing.askedAt < askEveryMs) return false;
    standing.askedAt = now;
    return true;
  }

  /** The sender is dead and what is missing is nowhere: what it had sent behind the hole is written after all. */
  giveUpHole(standing: Standing): Entry[] {
    const entries: Entry[] = [];
    while (standing.held.size > 0) {
      const first = Math.min(...standing.held.keys());
      if (first > standing.taken + 1) entries.push(pass(standing, 'lost', first - 1));
      this.#takeHeld(entries, standing);
    }
    return entries;
  }

  /** Forgets early batches; their sender has them still. */
  drop(standing: Standing): void {
    for (const batch of standing.held.values()) this.#heldBytes -= batch.bytes.length;
    standing.held.clear();
  }

  /** Passes over numbers that the sender does not have any more. */
  #skip(standing: Standing, batch: LogRecords): Entry[] {
    const entries: Entry[] = [];
    const isNew = standing.taken === 0 && standing.written === 0;
    if (batch.acked > standing.taken) {
      // Of a sender that was never heard of, the note that begins it says where it goes on.
      if (isNew) standing.found(batch.acked);
      else entries.push(pass(standing, 'elsewhere', batch.acked));
    }
    if (batch.base > standing.taken + 1) entries.push(pass(standing, 'lost', batch.base - 1));
    return entries;
  }

  #hold(standing: Standing, batch: LogRecords): void {
    if (standing.held.has(batch.first) || this.#heldBytes + batch.bytes.length > maxHeldBytes) return;
    standing.held.set(batch.first, batch);
    this.#heldBytes += batch.bytes.length;
  }

  #take(entries: Entry[], standing: Standing, batch: LogRecords): void {
    standing.taken = lastOf(batch);
    entries.push({ kind: 'records', standing, from: batch.first, to: standing.taken, bytes: batch.bytes });
  }

  #takeHeld(entries: Entry[], standing: Standing): void {
    const byNumber = [...standing.held.values()].sort((a, b) => a.first - b.first);
    for (const batch of byNumber) {
      if (batch.first > standing.taken + 1) return;
      standing.held.delete(batch.first);
      this.#heldBytes -= batch.bytes.length;
      if (lastOf(batch) > standing.taken) this.#take(entries, standing, batch);
    }
  }
}

function pass(standing: Standing, kind: 'lost' | 'elsewhere', to: number): Entry {
  const from = standing.taken + 1;
  standing.taken = to;
  return { kind, standing, from, to, bytes: nothing };
}

function lastOf(batch: LogRecords): number {
  return batch.first + batch.count - 1;
}
