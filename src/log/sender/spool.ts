// The records of a sender that are not acknowledged yet: a queue on disk.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.js';
import type { SpoolKeeps } from '../../site/log-settings.js';
import { above, type Batch, batchBytes, lastOf } from '../batch.js';
import { SpoolFile, type SpoolHeader } from './spool-file.js';

export interface SpoolLimits {
  /** A file of this size is complete, and the next one begins; default 4 MB. */
  readonly segmentBytes: number;
  /** All files of this sender together; default 256 MB. */
  readonly diskBytes: number;
  /** Maximum in memory while no file can be written; default 8 MB. */
  readonly memoryBytes: number;
  /** What the spool keeps when it is full; default `oldest`. With `newest`, it removes the oldest file. */
  readonly keeps: SpoolKeeps;
  /** After a write that takes longer, in ms, records stay in memory for ten times as long; default 200. */
  readonly blockMs: number;
  /** Whether each write waits for the disk; default false. */
  readonly syncs: boolean;
}

const spoolLimits: SpoolLimits = {
  segmentBytes: 4 * 1024 ** 2,
  diskBytes: 256 * 1024 ** 2,
  memoryBytes: 8 * 1024 ** 2,
  keeps: 'oldest',
  blockMs: 200,
  syncs: false,
};

export interface SpoolOptions {
  readonly directory: string;
  readonly header: Omit<SpoolHeader, 'acked'>;
  readonly clock: Clock;
  readonly limits?: Partial<SpoolLimits> | undefined;
  /** Called once when files cannot be written, and with undefined when they can again. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
}

/** After a slow write, writing pauses for this many times its duration. */
const pauseFactor = 10;
/** Pause after a failed write. */
const retryMs = 1000;

/**
 * A queue of records with rising numbers: first those in files, then those in memory. Numbers are missing
 * only where a full spool refused records or removed old ones.
 *
 * A record in a file survives its process, however that ends. Records wait in memory only while writing is
 * paused, after a failed or slow write.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #limits: SpoolLimits;
  /** The oldest first. The last one is written to. */
  #files: SpoolFile[] = [];
  /** Batches that follow the files, while writing is paused. */
  readonly #memory: Batch[] = [];
  #acked = 0;
  #filesMade = 0;
  /** When writing was paused, in ms since 1970. */
  #pausedAt = 0;
  #pauseMs = 0;
  #inTrouble = false;
  /**
   * Whether a write to the last file has failed. It gets no more records, since its file system may be gone.
   */
  #isFileBroken = false;

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#limits = { ...spoolLimits, ...options.limits };
  }

  /** Adds the file of an ended process after the files that were added before. */
  adopt(file: SpoolFile): void {
    this.#files.push(file);
    this.#acked = Math.max(this.#acked, file.header.acked);
  }

  /** How many unacknowledged records would be lost with this process. */
  get unsafeCount(): number {
    return this.#memory.reduce(
      (sum, batch) => sum + lastOf(batch) - Math.max(batch.first - 1, this.#acked),
      0,
    );
  }

  /** Bytes in files, including acknowledged ones that are not removed yet, and in memory. */
  get size(): { readonly diskBytes: number; readonly diskLimitBytes: number; readonly memoryBytes: number } {
    const { diskBytes: diskLimitBytes } = this.#limits;
    return { diskBytes: this.#diskBytes(), diskLimitBytes, memoryBytes: this.#memoryBytes() };
  }

  get isEmpty(): boolean {
    return this.#memory.length === 0 && this.#files.every(({ last }) => last <= this.#acked);
  }

  /** The highest number that the spool has or had. */
  get last(): number {
    const inMemory = this.#memory.at(-1);
    return Math.max(this.#acked, inMemory ? lastOf(inMemory) : 0, ...this.#files.map(({ last }) => last));
  }

  /** The lowest unacknowledged number; undefined when there is none. */
  get base(): number | undefined {
    const lowest = this.#files.find(({ last }) => last > this.#acked) ?? this.#memory[0];
    return lowest && Math.max(this.#acked + 1, lowest.first);
  }

  /**
   * How full the spool is, from 0 to 1. At 1 the next batch may be refused. With `keeps: 'newest'` there is
   * always room, while files can be written.
   */
  get fill(): number {
    const { diskBytes, memoryBytes, keeps } = this.#limits;
    // A quarter at most, for the small limits of tests.
    const reserve = (room: number) => Math.min(2 * batchBytes, room / 4);
    if (this.#isPaused) return (this.#memoryBytes() + reserve(memoryBytes)) / memoryBytes;
    return keeps === 'newest' ? 0 : (this.#diskBytes() + reserve(diskBytes)) / diskBytes;
  }

  /** Keeps a batch; false when there is no room for it. */
  append(batch: Batch): boolean {
    // Memory first, so that the files keep the order of numbers.
    if (!this.#isPaused && this.#writeMemory() && this.#toFile(batch)) return true;
    if (this.#memoryBytes() + batch.bytes.length > this.#limits.memoryBytes) return false;
    this.#memory.push(batch);
    return true;
  }

  /** How many bytes wait above a number. */
  bytesAbove(number: number): number {
    const waiting = this.#memory.filter((batch) => lastOf(batch) > number);
    return this.#files.reduce((sum, file) => sum + file.bytesAbove(number), sizeOf(waiting));
  }

  /** The next records above a number: at most `maxBytes`, but at least one record. */
  next(after: number, maxBytes: number): Batch | undefined {
    for (;;) {
      const file = this.#files.find(({ last }) => last > after);
      if (file === undefined) break;
      const batch = this.#read(file, after, maxBytes);
      if (batch !== undefined) return batch;
      // Another program has changed the file, so its rest is unreadable. `base` shows the writer what is
      // lost.
      this.#files = this.#files.filter((other) => other !== file);
      file.remove();
    }
    const batch = this.#memory.find((batch) => lastOf(batch) > after);
    return batch && above(batch, after);
  }

  /** Removes acknowledged records. The file in use stays for the next record: see {@link tidy}. */
  release(acked: number): void {
    this.#acked = Math.max(this.#acked, acked);
    while (this.#memory[0] !== undefined && lastOf(this.#memory[0]) <= this.#acked) this.#memory.shift();
    while (this.#files[0] !== undefined && this.#files[0].last <= this.#acked) {
      if (this.#files.length === 1 && this.#memory.length === 0) break;
      this.#files.shift()?.remove();
    }
    this.#files[0]?.forget(this.#acked);
  }

  /** Removes the file in use as well, if it is acknowledged as a whole. */
  tidy(): void {
    if (this.isEmpty) for (const file of this.#files.splice(0)) file.remove();
  }

  /**
   * Writes to disk what is in memory, unless a failed write has paused writing. @returns whether all is on
   * disk
   */
  catchUp(): boolean {
    if (this.unsafeCount > 0 && !(this.#inTrouble && this.#isPaused)) this.persist();
    return this.unsafeCount === 0;
  }

  /** Writes to disk what is in memory, even during a pause: the process is about to end. */
  persist(): void {
    this.#pauseMs = 0;
    this.#writeMemory();
  }

  /** Removes acknowledged files, and leaves the others to an adopter. A later `append` begins a new file. */
  close(): void {
    this.tidy();
    for (const file of this.#files.splice(0)) file.close();
  }

  /** @returns whether nothing is left in memory */
  #writeMemory(): boolean {
    while (this.#memory[0] !== undefined && this.#toFile(this.#memory[0])) this.#memory.shift();
    return this.#memory.length === 0;
  }

  #toFile(batch: Batch): boolean {
    const { clock } = this.#options;
    const { syncs, blockMs } = this.#limits;
    if (!this.#makeRoom(batch.bytes.length)) return false;
    try {
      const begun = clock.now();
      this.#fileFor(batch).append(batch, syncs);
      const tookMs = clock.now() - begun;
      if (tookMs > blockMs) this.#pauseWrites(tookMs * pauseFactor);
    } catch (error) {
      this.#isFileBroken = true;
      this.#removeEmpty();
      this.#pauseWrites(retryMs);
      this.#report(error);
      return false;
    }
    this.#report(undefined);
    return true;
  }

  #makeRoom(bytes: number): boolean {
    const { diskBytes, keeps } = this.#limits;
    while (this.#diskBytes() + bytes > diskBytes) {
      if (keeps === 'oldest' || this.#files.length === 0) return false;
      this.#files.shift()?.remove();
    }
    return true;
  }

  #fileFor({ first }: Batch): SpoolFile {
    const current = this.#files.at(-1);
    const fits =
      current !== undefined && current.size < this.#limits.segmentBytes && current.last + 1 === first;
    if (fits && !this.#isFileBroken && current.isNamed) return current;
    const { directory, header } = this.#options;
    mkdirSync(directory, { recursive: true });
    const name = `${header.sender.replace(/\[(\d+)\]$/, '-$1')}.${header.epoch}.${++this.#filesMade}.spool`;
    const file = SpoolFile.create(join(directory, name), { ...header, acked: this.#acked }, first - 1);
    this.#files.push(file);
    this.#isFileBroken = false;
    return file;
  }

  /** Otherwise each try on a full disk would leave an empty file. */
  #removeEmpty(): void {
    const current = this.#files.at(-1);
    if (current !== undefined && current.last < current.first) this.#files.pop()?.remove();
  }

  #read(file: SpoolFile, after: number, maxBytes: number): Batch | undefined {
    try {
      return file.next(after, maxBytes);
    } catch (error) {
      this.#report(error);
      return undefined;
    }
  }

  #pauseWrites(ms: number): void {
    this.#pausedAt = this.#options.clock.now();
    this.#pauseMs = ms;
  }

  /** Whether writing is paused. A clock that was set back does not prolong the pause. */
  get #isPaused(): boolean {
    const sinceMs = this.#options.clock.now() - this.#pausedAt;
    return sinceMs >= 0 && sinceMs < this.#pauseMs;
  }

  #diskBytes(): number {
    return this.#files.reduce((sum, { size }) => sum + size, 0);
  }

  #memoryBytes(): number {
    return sizeOf(this.#memory);
  }

  #report(error: unknown): void {
    if (this.#inTrouble === (error !== undefined)) return;
    this.#inTrouble = error !== undefined;
    this.#options.onTrouble?.(error);
  }
}

function sizeOf(batches: readonly Batch[]): number {
  return batches.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
