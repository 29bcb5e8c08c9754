// What a sender has accepted and the logger coroutine has not yet acknowledged: a queue on disk.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.js';
import type { SpoolKeeps } from '../../site/log-settings.js';
import { above, type Batch, batchBytes, lastOf } from '../batch.js';
import { SpoolFile, type SpoolHeader } from './spool-file.js';

export interface SpoolLimits {
  /** A file that has grown beyond this is followed by the next; default 4 MB. */
  readonly segmentBytes: number;
  /** All files of this sender together; default 256 MB. */
  readonly diskBytes: number;
  /** What is kept in memory while no file can be written; default 8 MB. */
  readonly memoryBytes: number;
  /** What stays when `diskBytes` are full; default `oldest`. With `newest`, the oldest file makes room. */
  readonly keeps: SpoolKeeps;
  /** After a write that took longer, in ms, records are kept in memory for ten times as long; default 200. */
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
  /** Told once when files cannot be written, and again (with undefined) when they can. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
}

/** So many times as long as a write took, none follows it when that was too long. */
const restFactor = 10;
/** How long after a failed write the next one is tried. */
const retryMs = 1000;

/**
 * A queue of records with rising numbers. What is in memory comes behind what is in files. Numbers are missing only where
 * records were refused for want of room, or removed to make some.
 *
 * A record is safe from the end of its process as soon as it is in a file, however the process ends.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #limits: SpoolLimits;
  /** All that are not removed yet, the oldest first. The last one is written to. */
  #files: SpoolFile[] = [];
  /** What comes behind the files, while none can be written. */
  readonly #memory: Batch[] = [];
  #acked = 0;
  #filesMade = 0;
  /** No file is written from then on for so long. */
  #restFrom = 0;
  #restMs = 0;
  #inTrouble = false;
  /** A write has failed: nothing more goes to that file, which may be on a file system that is gone. */
  #isFileBroken = false;

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#limits = { ...spoolLimits, ...options.limits };
  }

  /** Takes over a file of an ended process, behind those that were taken over before. */
  adopt(file: SpoolFile): void {
    this.#files.push(file);
    this.#acked = Math.max(this.#acked, file.header.acked);
  }

  /** How many records that are not acknowledged would end with this process. */
  get unsafeCount(): number {
    return this.#memory.reduce(
      (sum, batch) => sum + lastOf(batch) - Math.max(batch.first - 1, this.#acked),
      0,
    );
  }

  /** Bytes that are kept: in files, with what is acknowledged and not removed yet, and in memory. */
  get size(): { readonly diskBytes: number; readonly diskLimitBytes: number; readonly memoryBytes: number } {
    const { diskBytes: diskLimitBytes } = this.#limits;
    return { diskBytes: this.#diskBytes(), diskLimitBytes, memoryBytes: this.#memoryBytes() };
  }

  get isEmpty(): boolean {
    return this.#memory.length === 0 && this.#files.every(({ last }) => last <= this.#acked);
  }

  /** The last number that is or was here. */
  get last(): number {
    const inMemory = this.#memory.at(-1);
    return Math.max(this.#acked, inMemory ? lastOf(inMemory) : 0, ...this.#files.map(({ last }) => last));
  }

  /** The lowest number above what is acknowledged that is still here; undefined when there is none. */
  get base(): number | undefined {
    const lowest = this.#files.find(({ last }) => last > this.#acked) ?? this.#memory[0];
    return lowest && Math.max(this.#acked + 1, lowest.first);
  }

  /**
   * How much of the room is taken, from 0 to 1. At 1 the next batch may not have a place. Where the newest are kept there is
   * always room, as long as files can be written.
   */
  get fill(): number {
    const { diskBytes, memoryBytes, keeps } = this.#limits;
    // Small rooms are for tests and know no reserve.
    const reserve = (room: number) => Math.min(2 * batchBytes, room / 4);
    if (this.#isResting) return (this.#memoryBytes() + reserve(memoryBytes)) / memoryBytes;
    return keeps === 'newest' ? 0 : (this.#diskBytes() + reserve(diskBytes)) / diskBytes;
  }

  /** Keeps a batch; false when there is no room for it. */
  append(batch: Batch): boolean {
    // What waits in memory comes first, so that files hold numbers in their order.
    if (!this.#isResting && this.#bringToDisk() && this.#toFile(batch)) return true;
    if (this.#memoryBytes() + batch.bytes.length > this.#limits.memoryBytes) return false;
    this.#memory.push(batch);
    return true;
  }

  /** How many bytes wait above a number. */
  bytesAbove(number: number): number {
    const waiting = this.#memory.filter((batch) => lastOf(batch) > number);
    return this.#files.reduce((sum, file) => sum + file.bytesAbove(number), sizeOf(waiting));
  }

  /** The next records above a number: of at most so many bytes, but at least one. */
  next(after: number, maxBytes: number): Batch | undefined {
    for (;;) {
      const file = this.#files.find(({ last }) => last > after);
      if (file === undefined) break;
      const batch = this.#read(file, after, maxBytes);
      if (batch !== undefined) return batch;
      // Someone else changed the file: the rest of it cannot be read any more, and base says so to the writer.
      this.#files = this.#files.filter((other) => other !== file);
      file.remove();
    }
    const batch = this.#memory.find((batch) => lastOf(batch) > after);
    return batch && above(batch, after);
  }

  /** Forgets what is acknowledged. The file in use stays, since the next record probably comes soon: see {@link tidy}. */
  release(acked: number): void {
    this.#acked = Math.max(this.#acked, acked);
    while (this.#memory[0] !== undefined && lastOf(this.#memory[0]) <= this.#acked) this.#memory.shift();
    while (this.#files[0] !== undefined && this.#files[0].last <= this.#acked) {
      if (this.#files.length === 1 && this.#memory.length === 0) break;
      this.#files.shift()?.remove();
    }
    this.#files[0]?.forget(this.#acked);
  }

  /** Removes the file in use, too, if all of it is acknowledged. */
  tidy(): void {
    if (this.isEmpty) for (const file of this.#files.splice(0)) file.remove();
  }

  /** Brings to disk what is only in memory, since somebody waits for it. One that failed is tried again in its time. */
  catchUp(): boolean {
    if (this.unsafeCount > 0 && !(this.#inTrouble && this.#isResting)) this.persist();
    return this.unsafeCount === 0;
  }

  /** Tries once more to bring to disk what is only in memory: the process is about to end. */
  persist(): void {
    this.#restMs = 0;
    this.#bringToDisk();
  }

  /** Removes what is acknowledged and leaves the rest to whoever adopts it. Later calls of `append` begin a new file. */
  close(): void {
    this.tidy();
    for (const file of this.#files.splice(0)) file.close();
  }

  /** @returns whether nothing is left in memory */
  #bringToDisk(): boolean {
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
      if (tookMs > blockMs) this.#rest(tookMs * restFactor);
    } catch (error) {
      this.#isFileBroken = true;
      this.#removeEmpty();
      this.#rest(retryMs);
      this.#tell(error);
      return false;
    }
    this.#tell(undefined);
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

  /** Else each try on a full disk would leave one behind. */
  #removeEmpty(): void {
    const current = this.#files.at(-1);
    if (current !== undefined && current.last < current.first) this.#files.pop()?.remove();
  }

  #read(file: SpoolFile, after: number, maxBytes: number): Batch | undefined {
    try {
      return file.next(after, maxBytes);
    } catch (error) {
      this.#tell(error);
      return undefined;
    }
  }

  #rest(ms: number): void {
    this.#restFrom = this.#options.clock.now();
    this.#restMs = ms;
  }

  /** Whether files are left alone for a while. A clock that was set back does not make it longer. */
  get #isResting(): boolean {
    const sinceMs = this.#options.clock.now() - this.#restFrom;
    return sinceMs >= 0 && sinceMs < this.#restMs;
  }

  #diskBytes(): number {
    return this.#files.reduce((sum, { size }) => sum + size, 0);
  }

  #memoryBytes(): number {
    return sizeOf(this.#memory);
  }

  #tell(error: unknown): void {
    if (this.#inTrouble === (error !== undefined)) return;
    this.#inTrouble = error !== undefined;
    this.#options.onTrouble?.(error);
  }
}

function sizeOf(batches: readonly Batch[]): number {
  return batches.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
