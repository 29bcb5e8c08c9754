// What waits to be written: its order, and when the next write is due.

import type { QueueEntry } from './inbox.js';

/** Above this the queue is full. The senders keep what it does not accept. */
const maxQueueBytes = 32 * 1024 ** 2;
/** A write takes entries until it has this many bytes. */
const maxWriteBytes = 4 * 1024 ** 2;
/** With `orderMs`, at most one write and one sync in this time. */
const writeEveryMs = 50;

/** Sorts entries by the time of their records. An entry may leave once it is `orderMs` old. */
export class WriteQueue {
  #entries: QueueEntry[] = [];
  #bytes = 0;
  #orderMs: number;
  #removedAt = Number.NEGATIVE_INFINITY;

  constructor(orderMs: number) {
    this.#orderMs = orderMs;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  get isFull(): boolean {
    return this.#bytes > maxQueueBytes;
  }

  add(entries: readonly QueueEntry[]): void {
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#bytes += entry.bytes.length;
    }
  }

  /** From now on no entry waits for earlier records of other senders. */
  endOrdering(): void {
    this.#orderMs = 0;
  }

  /** How long until the next write is due, in ms: 0 for now, `Infinity` when nothing waits. */
  untilDueMs(now: number): number {
    if (this.isEmpty) return Number.POSITIVE_INFINITY;
    if (this.#orderMs === 0 || this.#isClockSetBack(now)) return 0;
    const earliest = this.#entries.reduce(
      (least, { time }) => Math.min(least, time),
      Number.POSITIVE_INFINITY,
    );
    return Math.max(earliest + this.#orderMs, Math.min(this.#removedAt, now) + writeEveryMs) - now;
  }

  /**
   * The entries of the next write, in order. They stay in the queue until {@link remove}.
   *
   * No entry is later than its arrival. A time in the future means that the clock was set back; then all is due at once.
   */
  next(now: number): QueueEntry[] {
    // The sort is stable, and the times of one sender never fall. So it keeps the order of each sender.
    this.#entries.sort((a, b) => a.time - b.time);
    const limit = this.#isClockSetBack(now) ? Number.POSITIVE_INFINITY : now - this.#orderMs;
    const next: QueueEntry[] = [];
    let bytes = 0;
    for (const entry of this.#entries) {
      if (entry.time > limit || bytes >= maxWriteBytes) break;
      bytes += entry.bytes.length;
      next.push(entry);
    }
    return next;
  }

  /**
   * Removes what {@link next} returned, once it is on disk. Entries that arrived since then are behind it.
   */
  remove(written: readonly QueueEntry[], now: number): void {
    this.#entries.splice(0, written.length);
    for (const { bytes } of written) this.#bytes -= bytes.length;
    this.#removedAt = now;
  }

  #isClockSetBack(now: number): boolean {
    return this.#entries.some(({ time }) => time > now);
  }
}
