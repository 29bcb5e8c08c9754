// What a sender has accepted and the logger coroutine has not yet acknowledged: kept in files, in order.

import {
  closeSync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import type { Clock } from '../clock.js';
import { leadingRun, offsetAfter, type Run } from './batch.js';
import type { Place } from './inbox.js';
import type { SpoolKeeps } from './policies.js';
import { batchBytes, formatSpoolHeader, type SpoolHeader, spoolReadBytes } from './spool-file.js';

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

export const spoolLimits: SpoolLimits = {
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
  readonly onTrouble: (error: unknown) => void;
}

/** So many times as long as a write took, none follows it when that was too long. */
const restFactor = 10;
/** How long after a failed write the next one is tried. */
const retryMs = 1000;
/** More than a sender ever has under way, so that going back to the last acknowledged record needs no search. */
const maxEnds = 64;

/**
 * A queue of records on disk. It is a list of segments with rising numbers, each a file or, while files cannot be
 * written, a piece of memory, and behind that there is no file. Numbers are missing only between two segments: they were refused
 * for want of room.
 *
 * Everything here is synchronous and goes to the system's page cache, some ten microseconds for 64 kB: so a
 * record is safe from the end of its process as soon as it is appended, however the process ends.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #limits: SpoolLimits;
  #segments: Segment[] = [];
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

  /** Whether everything that is not acknowledged would outlive this process. */
  get isSafe(): boolean {
    return this.#segments.every((segment) => segment instanceof FileSegment || segment.last <= this.#acked);
  }

  /** How many records that are not acknowledged would end with this process. */
  get unsafeCount(): number {
    let count = 0;
    for (const segment of this.#segments)
      if (segment instanceof MemorySegment)
        count += Math.max(0, segment.last - Math.max(segment.first - 1, this.#acked));
    return count;
  }

  /** Bytes that are kept: in files, with what is acknowledged and not removed yet, and in memory. */
  get size(): { readonly diskBytes: number; readonly diskLimitBytes: number; readonly memoryBytes: number } {
    const { diskBytes: diskLimitBytes } = this.#limits;
    return { diskBytes: this.#diskBytes(), diskLimitBytes, memoryBytes: this.#memoryBytes() };
  }

  get isEmpty(): boolean {
    return (this.#segments.at(-1)?.last ?? 0) <= this.#acked;
  }

  /** The lowest number above what is acknowledged that is still here; undefined when there is none. */
  get base(): number | undefined {
    const segment = this.#segmentAfter(this.#acked);
    return segment && Math.max(this.#acked + 1, segment.first);
  }

  /**
   * How much of the room is taken, from 0 to 1. At 1 the next batch may not have a place. Where the newest are kept there is
   * always room, as long as files can be written.
   */
  get fill(): number {
    const { diskBytes, memoryBytes, keeps } = this.#limits;
    // Small rooms are for tests and know no reserve.
    const reserve = (room: number) => Math.min(2 * batchBytes, room / 4);
    const inMemory = (this.#memoryBytes() + reserve(memoryBytes)) / memoryBytes;
    if (this.#rests) return inMemory;
    return keeps === 'newest' ? 0 : (this.#diskBytes() + reserve(diskBytes)) / diskBytes;
  }

  /** Keeps a run of records; false when there is no room for it. */
  append(run: Run): boolean {
    // What waits in memory comes first, so that files hold numbers in their order: whoever adopts them tells what is missing
    // between one and the next.
    const isDiskNext = !this.#rests && (this.isSafe || this.#bringToDisk());
    return (isDiskNext && this.#appendToFile(run)) || this.#appendToMemory(run);
  }

  /** The first run of records above a number. */
  next(after: number): Run | undefined {
    for (;;) {
      const segment = this.#segmentAfter(after);
      if (segment === undefined) return undefined;
      const run = this.#read(segment, after);
      if (run !== undefined) return above(run, after);
      // Someone else changed the file: what it held cannot be read any more, and base says so to the writer.
      this.#drop(segment);
    }
  }

  /**
   * Where the records above a number lie, as many of them as one file holds.
   *
   * @returns undefined when they are not in a file, or the place of just this number is not known
   */
  place(after: number): SpooledRun | undefined {
    const segment = this.#segmentAfter(after);
    return segment instanceof FileSegment ? segment.place(after) : undefined;
  }

  /** Forgets what is acknowledged. The file in use stays, since the next record probably comes soon: see {@link tidy}. */
  release(acked: number): void {
    this.#acked = Math.max(this.#acked, acked);
    for (const segment of this.#segments) {
      segment.release(this.#acked);
      if (segment.last > this.#acked) return;
      if (segment !== this.#segments.at(-1)) this.#drop(segment);
    }
  }

  /** Removes the file in use, too, if all of it is acknowledged. */
  tidy(): void {
    const last = this.#segments.at(-1);
    if (last !== undefined && this.isEmpty) this.#drop(last);
  }

  /** Tries once more to bring to disk what is only in memory: the process is about to end. */
  persist(): void {
    this.#restMs = 0;
    this.#bringToDisk();
  }

  /** Brings to disk what is only in memory because the disk was slow or failed; one that failed is tried again in its time. */
  catchUp(): void {
    if (!this.isSafe && !(this.#inTrouble && this.#rests)) this.persist();
  }

  /** Removes what is acknowledged and leaves the rest to whoever adopts it. Later calls of `append` begin a new file. */
  close(): void {
    this.tidy();
    for (const segment of this.#segments) if (segment instanceof FileSegment) segment.close();
    this.#segments = this.#segments.filter((segment) => segment instanceof MemorySegment);
  }

  /** Writes what is in memory to files, up to the first that cannot be written. @returns whether that is all */
  #bringToDisk(): boolean {
    const segments = this.#segments;
    this.#segments = [];
    for (const segment of segments) {
      while (segment instanceof MemorySegment && this.#hasMovedFirst(segment));
      if (segment instanceof FileSegment || segment.runs.length > 0) this.#segments.push(segment);
    }
    return this.isSafe;
  }

  #hasMovedFirst(segment: MemorySegment): boolean {
    const [run] = segment.runs;
    const isNext = !(this.#segments.at(-1) instanceof MemorySegment);
    if (run === undefined || !isNext || !this.#appendToFile(run)) return false;
    segment.shift();
    return true;
  }

  #rest(ms: number): void {
    this.#restFrom = this.#options.clock.now();
    this.#restMs = ms;
  }

  /** Whether files are left alone for a while. A clock that was set back does not make it longer. */
  get #rests(): boolean {
    const sinceMs = this.#options.clock.now() - this.#restFrom;
    return sinceMs >= 0 && sinceMs < this.#restMs;
  }

  #segmentAfter(number: number): Segment | undefined {
    return this.#segments.find((segment) => segment.last > number);
  }

  #appendToFile(run: Run): boolean {
    if (this.#rests) return false;
    if (!this.#makeRoom(run.bytes.length)) return false;
    try {
      const begun = this.#options.clock.now();
      this.#fileFor(run).append(run);
      const tookMs = this.#options.clock.now() - begun;
      if (tookMs > this.#limits.blockMs) this.#rest(tookMs * restFactor);
    } catch (error) {
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
      const oldest = this.#segments[0];
      if (keeps === 'oldest' || oldest === undefined) return false;
      this.#drop(oldest);
    }
    return true;
  }

  #fileFor(run: Run): FileSegment {
    const last = this.#segments.at(-1);
    const hasRoom = last instanceof FileSegment && last.size < this.#limits.segmentBytes;
    if (hasRoom && last.last + 1 === run.first) return last;
    const { directory, header } = this.#options;
    mkdirSync(directory, { recursive: true });
    const name = `${header.sender.replace(/\[(\d+)\]$/, '-$1')}.${header.epoch}.${++this.#filesMade}.spool`;
    const file = new FileSegment(
      join(directory, name),
      { ...header, acked: this.#acked },
      run.first,
      this.#limits.syncs,
    );
    this.#segments.push(file);
    return file;
  }

  #appendToMemory(run: Run): boolean {
    if (this.#memoryBytes() + run.bytes.length > this.#limits.memoryBytes) return false;
    let last = this.#segments.at(-1);
    if (!(last instanceof MemorySegment) || last.last + 1 !== run.first) {
      last = new MemorySegment(run.first);
      this.#segments.push(last);
    }
    last.append(run);
    return true;
  }

  #read(segment: Segment, after: number): Run | undefined {
    try {
      return segment.next(after);
    } catch (error) {
      this.#tell(error);
      return undefined;
    }
  }

  #drop(segment: Segment): void {
    this.#segments = this.#segments.filter((other) => other !== segment);
    if (segment instanceof FileSegment) segment.remove();
  }

  #diskBytes(): number {
    let sum = 0;
    for (const segment of this.#segments) if (segment instanceof FileSegment) sum += segment.size;
    return sum;
  }

  #memoryBytes(): number {
    let sum = 0;
    for (const segment of this.#segments) if (segment instanceof MemorySegment) sum += segment.size;
    return sum;
  }

  #tell(error: unknown): void {
    if (this.#inTrouble === (error !== undefined)) return;
    this.#inTrouble = error !== undefined;
    this.#options.onTrouble(error);
  }
}

/** Records that whoever reads the same directory finds there. */
export interface SpooledRun {
  readonly first: number;
  readonly count: number;
  readonly place: Place;
}

type Segment = FileSegment | MemorySegment;

class MemorySegment {
  first: number;
  last: number;
  size = 0;
  readonly runs: Run[] = [];

  constructor(first: number) {
    this.first = first;
    this.last = first - 1;
  }

  append(run: Run): void {
    // The sender uses its buffer again.
    this.runs.push({ ...run, bytes: Buffer.from(run.bytes) });
    this.last = run.first + run.count - 1;
    this.size += run.bytes.length;
  }

  next(after: number): Run | undefined {
    return this.runs.find((run) => lastOf(run) > after);
  }

  release(acked: number): void {
    while (this.runs[0] !== undefined && lastOf(this.runs[0]) <= acked) this.shift();
  }

  /** The first run is needed here no more. */
  shift(): void {
    const run = this.runs.shift();
    if (run === undefined) return;
    this.size -= run.bytes.length;
    this.first = lastOf(run) + 1;
  }
}

class FileSegment {
  readonly first: number;
  last: number;
  /** Bytes, with the header. */
  size: number;
  readonly #path: string;
  readonly #fd: number;
  readonly #sender: string;
  readonly #syncs: boolean;
  /** Where the next read begins. */
  #cursor: Mark;
  /** Where a read may begin that goes back to what is not acknowledged. */
  #released: Mark;
  /** Candidates for `#released`: the ends of the latest runs, as far as there are not too many. */
  readonly #ends: Mark[] = [];

  constructor(path: string, header: SpoolHeader, first: number, syncs: boolean) {
    this.#syncs = syncs;
    this.first = first;
    this.last = first - 1;
    this.#path = path;
    this.#sender = header.sender;
    this.#fd = openSync(path, 'wx+');
    try {
      this.size = this.#write(Buffer.from(formatSpoolHeader(header)), 0);
    } catch (error) {
      this.remove();
      throw error;
    }
    this.#cursor = { after: this.last, offset: this.size };
    this.#released = this.#cursor;
  }

  append(run: Run): void {
    this.size += this.#write(run.bytes, this.size);
    this.last = lastOf(run);
    if (this.#ends.length < maxEnds) this.#ends.push({ after: this.last, offset: this.size });
  }

  next(after: number): Run | undefined {
    const known = this.#released;
    if (this.#cursor.after > after || this.#cursor.after < known.after) this.#cursor = known;
    for (;;) {
      const run = this.#readAt(this.#cursor.offset);
      if (run === undefined) return undefined;
      this.#cursor = { after: lastOf(run), offset: this.#cursor.offset + run.bytes.length };
      if (this.#cursor.after > after) return run;
    }
  }

  place(after: number): SpooledRun | undefined {
    const begin = this.#markOf(after);
    if (begin === undefined) return undefined;
    const end = { after: this.last, offset: this.size };
    this.#cursor = end;
    if ((this.#ends.at(-1)?.after ?? 0) < end.after) this.#ends.push(end);
    const place = { file: basename(this.#path), offset: begin.offset, length: end.offset - begin.offset };
    return { first: after + 1, count: end.after - after, place };
  }

  /** Where the record behind a number begins. */
  #markOf(after: number): Mark | undefined {
    if (this.#cursor.after === after) return this.#cursor;
    if (this.#released.after === after) return this.#released;
    return this.#ends.find((end) => end.after === after);
  }

  release(acked: number): void {
    if (this.#cursor.after <= acked) this.#released = this.#cursor;
    while (this.#ends[0] !== undefined && this.#ends[0].after <= acked) {
      const end = this.#ends.shift();
      if (end !== undefined && end.after > this.#released.after) this.#released = end;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  remove(): void {
    closeSync(this.#fd);
    try {
      unlinkSync(this.#path);
    } catch {
      // It is gone already, or will be adopted and found to be written: neither does harm.
    }
  }

  #readAt(offset: number): Run | undefined {
    const buffer = Buffer.allocUnsafe(Math.min(spoolReadBytes, this.size - offset));
    const length = readSync(this.#fd, buffer, 0, buffer.length, offset);
    return leadingRun(buffer.subarray(0, length), this.#sender, batchBytes);
  }

  /** All of the bytes or none of them. */
  #write(bytes: Uint8Array, offset: number): number {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, offset + done);
      }
      if (this.#syncs) fdatasyncSync(this.#fd);
    } catch (error) {
      // A full disk may have taken a part. If it stays there, readers see that it is no whole record.
      ftruncateSync(this.#fd, offset);
      throw error;
    }
    return bytes.length;
  }
}

/** The records of a run above a number. */
function above(run: Run, after: number): Run {
  const known = after - run.first + 1;
  if (known <= 0) return run;
  return {
    first: after + 1,
    count: run.count - known,
    bytes: run.bytes.subarray(offsetAfter(run.bytes, known)),
  };
}

/** A place in a file: all numbers up to `after` lie before it. */
interface Mark {
  readonly after: number;
  readonly offset: number;
}

function lastOf(run: Run): number {
  return run.first + run.count - 1;
}
