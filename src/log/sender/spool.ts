// What a sender has accepted and the logger coroutine has not yet acknowledged: a queue on disk.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../clock.js';
import { above, type Batch, batchBytes, lastOf, leadingBatch } from '../batch.js';
import type { SpoolKeeps } from '../policies.js';
import { type SpooledBatch, SpoolFile, type SpoolHeader, spooledAt } from './spool-file.js';

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

/** Small batches in a row are remembered as one of at most so many bytes: a spool that is full takes little memory. */
const rememberedBytes = 4096;

/** Some records: in a file or, while no file can be written, these bytes in memory. */
interface Kept extends SpooledBatch {
  readonly file: SpoolFile | undefined;
  readonly bytes?: Buffer;
}

/**
 * A queue of records with rising numbers. What is in memory comes behind what is in files. Numbers are missing only where
 * records were refused for want of room, or removed to make some.
 *
 * A record is safe from the end of its process as soon as it is in a file, however the process ends.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #limits: SpoolLimits;
  #kept: Kept[] = [];
  /** All that are not removed yet, the oldest first. The last one is written to. */
  #files: SpoolFile[] = [];
  #memoryBytes = 0;
  #acked = 0;
  #filesMade = 0;
  /** No file is written from then on for so long. */
  #restFrom = 0;
  #restMs = 0;
  #inTrouble = false;

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#limits = { ...spoolLimits, ...options.limits };
  }

  /** Takes over a file of an ended process, behind those that were taken over before. */
  adopt(file: SpoolFile, batches: readonly SpooledBatch[], acked: number): void {
    this.#files.push(file);
    this.#acked = Math.max(this.#acked, acked);
    for (const batch of batches) if (batch.last > this.#acked) this.#kept.push({ file, ...batch });
  }

  /** How many records that are not acknowledged would end with this process. */
  get unsafeCount(): number {
    let count = 0;
    for (const { file, first, last } of this.#kept)
      if (file === undefined) count += last - Math.max(first - 1, this.#acked);
    return count;
  }

  /** Bytes that are kept: in files, with what is acknowledged and not removed yet, and in memory. */
  get size(): { readonly diskBytes: number; readonly diskLimitBytes: number; readonly memoryBytes: number } {
    const { diskBytes: diskLimitBytes } = this.#limits;
    return { diskBytes: this.#diskBytes(), diskLimitBytes, memoryBytes: this.#memoryBytes };
  }

  get isEmpty(): boolean {
    return this.#kept.length === 0;
  }

  /** The last number that is or was here. */
  get last(): number {
    return this.#kept.at(-1)?.last ?? this.#acked;
  }

  /** The lowest number above what is acknowledged that is still here; undefined when there is none. */
  get base(): number | undefined {
    const [first] = this.#kept;
    return first && Math.max(this.#acked + 1, first.first);
  }

  /**
   * How much of the room is taken, from 0 to 1. At 1 the next batch may not have a place. Where the newest are kept there is
   * always room, as long as files can be written.
   */
  get fill(): number {
    const { diskBytes, memoryBytes, keeps } = this.#limits;
    // Small rooms are for tests and know no reserve.
    const reserve = (room: number) => Math.min(2 * batchBytes, room / 4);
    if (this.#isResting) return (this.#memoryBytes + reserve(memoryBytes)) / memoryBytes;
    return keeps === 'newest' ? 0 : (this.#diskBytes() + reserve(diskBytes)) / diskBytes;
  }

  /** Keeps a batch; false when there is no room for it. */
  append(batch: Batch): boolean {
    // What waits in memory comes first, so that files hold numbers in their order.
    return (!this.#isResting && this.#bringToDisk() && this.#toFile(batch)) || this.#toMemory(batch);
  }

  /** How many bytes wait above a number, as far as they are no more than `most`. */
  bytesAbove(number: number, most: number): number {
    let bytes = 0;
    for (let i = this.#kept.length - 1; i >= 0 && bytes < most; i--) {
      const kept = this.#kept[i];
      if (kept === undefined || kept.last <= number) break;
      bytes += kept.length;
    }
    return bytes;
  }

  /** The next records above a number: of at most so many bytes, but a whole batch as it was appended. */
  next(after: number, maxBytes: number): Batch | undefined {
    for (;;) {
      const index = this.#kept.findIndex(({ last }) => last > after);
      const kept = this.#kept[index];
      if (kept === undefined) return undefined;
      const batch = this.#read(this.#extended(index, kept, maxBytes));
      if (batch !== undefined) return above(batch, after);
      // Someone else changed the file: what it held cannot be read any more, and base says so to the writer.
      this.#kept.splice(index, 1);
    }
  }

  /** Forgets what is acknowledged. The file in use stays, since the next record probably comes soon: see {@link tidy}. */
  release(acked: number): void {
    this.#acked = Math.max(this.#acked, acked);
    let count = 0;
    for (const kept of this.#kept) {
      if (kept.last > this.#acked) break;
      if (kept.file === undefined) this.#memoryBytes -= kept.length;
      count++;
    }
    this.#kept.splice(0, count);
    const needed = this.isEmpty ? this.#files.at(-1) : this.#kept[0]?.file;
    while (this.#files[0] !== undefined && this.#files[0] !== needed) this.#files.shift()?.remove();
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
    this.#kept = this.#kept.filter(({ file }) => file === undefined);
  }

  /** @returns whether nothing is left in memory */
  #bringToDisk(): boolean {
    if (this.#memoryBytes === 0) return true;
    const at = this.#kept.findIndex(({ file }) => file === undefined);
    const waiting = this.#kept.splice(at);
    for (let batch = batchIn(waiting[0]); batch !== undefined; batch = batchIn(waiting[0])) {
      if (!this.#toFile(batch)) break;
      this.#memoryBytes -= batch.bytes.length;
      waiting.shift();
    }
    this.#kept.push(...waiting);
    return waiting.length === 0;
  }

  #toFile(batch: Batch): boolean {
    const { clock } = this.#options;
    const { syncs, blockMs } = this.#limits;
    if (!this.#makeRoom(batch.bytes.length)) return false;
    try {
      const begun = clock.now();
      const file = this.#fileFor(batch);
      const offset = file.size;
      file.append(batch.bytes, syncs);
      this.#note(file, spooledAt(offset, batch));
      const tookMs = clock.now() - begun;
      if (tookMs > blockMs) this.#rest(tookMs * restFactor);
    } catch (error) {
      this.#rest(retryMs);
      this.#tell(error);
      return false;
    }
    this.#tell(undefined);
    return true;
  }

  #note(file: SpoolFile, next: SpooledBatch): void {
    const before = this.#kept.at(-1);
    const isNext = before?.file === file && before.last + 1 === next.first;
    if (isNext && before.length + next.length <= rememberedBytes)
      this.#kept.splice(-1, 1, { ...before, last: next.last, length: before.length + next.length });
    else this.#kept.push({ file, ...next });
  }

  #makeRoom(bytes: number): boolean {
    const { diskBytes, keeps } = this.#limits;
    while (this.#diskBytes() + bytes > diskBytes) {
      const oldest = this.#files[0];
      if (keeps === 'oldest' || oldest === undefined) return false;
      this.#kept = this.#kept.filter(({ file }) => file !== oldest);
      this.#files.shift();
      oldest.remove();
    }
    return true;
  }

  #fileFor({ first }: Batch): SpoolFile {
    const current = this.#files.at(-1);
    if (current !== undefined && current.size < this.#limits.segmentBytes && this.last + 1 === first)
      return current;
    const { directory, header } = this.#options;
    mkdirSync(directory, { recursive: true });
    const name = `${header.sender.replace(/\[(\d+)\]$/, '-$1')}.${header.epoch}.${++this.#filesMade}.spool`;
    const file = SpoolFile.create(join(directory, name), { ...header, acked: this.#acked });
    this.#files.push(file);
    return file;
  }

  #toMemory(batch: Batch): boolean {
    if (this.#memoryBytes + batch.bytes.length > this.#limits.memoryBytes) return false;
    this.#kept.push({ file: undefined, ...spooledAt(0, batch), bytes: batch.bytes });
    this.#memoryBytes += batch.bytes.length;
    return true;
  }

  /** The batch at an index, with those that follow it without a gap in its file. */
  #extended(index: number, kept: Kept, maxBytes: number): Kept {
    let whole = kept;
    for (const next of kept.file === undefined ? [] : this.#kept.slice(index + 1)) {
      const isNext = next.file === whole.file && next.first === whole.last + 1;
      if (!isNext || whole.length + next.length > maxBytes) break;
      whole = { ...whole, last: next.last, length: whole.length + next.length };
    }
    return whole;
  }

  /** Undefined when the file does not hold what it should. */
  #read(kept: Kept): Batch | undefined {
    if (kept.file === undefined) return batchIn(kept);
    try {
      const batch = leadingBatch(kept.file.read(kept), this.#options.header.sender, kept.length);
      return batch?.first === kept.first && lastOf(batch) === kept.last ? batch : undefined;
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

  #tell(error: unknown): void {
    if (this.#inTrouble === (error !== undefined)) return;
    this.#inTrouble = error !== undefined;
    this.#options.onTrouble?.(error);
  }
}

/** What is kept in memory as a batch; undefined for what is in a file. */
function batchIn(kept: Kept | undefined): Batch | undefined {
  return kept?.bytes && { first: kept.first, count: kept.last - kept.first + 1, bytes: kept.bytes };
}
