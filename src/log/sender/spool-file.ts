// A spool file: records of one sender that wait for the logger coroutine, as a person and an adopter can read them.

import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import * as v from 'valibot';
import { LinodError } from '../../base/errors.js';
import { NotRegularFileError, openRegular } from '../../base/regular-file.js';
import { above, type Batch, batchBytes, lastOf, leadingBatch } from '../batch.js';
import { maxRecordBytes } from '../format/line-format.js';

const anyMark = '# linod log spool ';
/** With the version of the format. */
const mark = `${anyMark}1 `;
const maxHeaderBytes = 4096;

const headerSchema = v.object({
  sender: v.string(),
  epoch: v.string(),
  owner: v.object({ host: v.string(), pid: v.number(), start: v.string() }),
  /** What the sender knew to be in lino.log when it began the file. */
  acked: v.number(),
});

/** What the first line of a spool file says: whose records follow. */
export type SpoolHeader = Readonly<v.InferOutput<typeof headerSchema>>;

/** A file in the spool directory that is no spool file. */
export class BadSpoolError extends LinodError {
  constructor(path: string, problem: string) {
    super('LINOD_ERR_BAD_SPOOL', `spool file ${path} cannot be read: ${problem}`);
  }
}

/**
 * An open spool file, whose records have consecutive numbers. Synchronous: it goes to the system's page cache, some ten
 * microseconds for 64 kB.
 */
export class SpoolFile {
  readonly path: string;
  readonly header: SpoolHeader;
  readonly #fd: number;
  /** Of another process that may still write to it: its size in bytes when it was opened. */
  readonly #foreignSize: number | undefined;
  #size: number;
  #last: number;
  /** Where the records above some numbers begin, in rising order: above those before the file, and where reading ended. */
  #places: Array<{ readonly after: number; readonly offset: number }>;

  private constructor(
    path: string,
    fd: number,
    { header, size }: Begin,
    after: number,
    foreignSize?: number,
  ) {
    this.path = path;
    this.header = header;
    this.#fd = fd;
    this.#foreignSize = foreignSize;
    this.#size = size;
    this.#last = after;
    this.#places = [{ after, offset: this.#size }];
  }

  /** Makes a file for the records above a number. */
  static create(path: string, header: SpoolHeader, after: number): SpoolFile {
    const line = Buffer.from(formatSpoolHeader(header));
    const file = new SpoolFile(path, openSync(path, 'wx+'), { header, size: line.length }, after);
    try {
      file.#write(line, 0, false);
      return file;
    } catch (error) {
      file.remove();
      throw error;
    }
  }

  /**
   * Opens the file of another process. What its sender did not finish writing is left out.
   *
   * @param mayGrow whether its sender may live: then it is only removed if nothing was added to it meanwhile
   * @throws BadSpoolError, or the system's error
   */
  static async open(path: string, mayGrow: boolean): Promise<SpoolFile> {
    const fd = openSpool(path);
    try {
      const begin = readBegin(path, fd);
      const first = leadingBatch(read(fd, begin.size, maxRecordBytes), begin.header.sender, 1)?.first ?? 1;
      const file = new SpoolFile(path, fd, begin, first - 1, mayGrow ? fstatSync(fd).size : undefined);
      await file.#findEnd();
      return file;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** In bytes. */
  get size(): number {
    return this.#size;
  }

  /** The number of its first record; acknowledged ones may count no more. */
  get first(): number {
    return (this.#places[0]?.after ?? 0) + 1;
  }

  /** The number of its last record; below `first` when it has none. */
  get last(): number {
    return this.#last;
  }

  /** Adds the records that follow its last: all of them or none. @param sync whether to wait for the disk */
  append(batch: Batch, sync: boolean): void {
    this.#write(batch.bytes, this.#size, sync);
    this.#size += batch.bytes.length;
    this.#last = lastOf(batch);
  }

  /**
   * The next records above a number, which is below `last`; undefined when the file does not hold what it should.
   *
   * @throws the system's error
   */
  next(after: number, maxBytes: number): Batch | undefined {
    for (let place = this.#placeOf(after); ; ) {
      const length = Math.min(Math.max(maxBytes, maxRecordBytes), this.#size - place.offset);
      const batch = leadingBatch(read(this.#fd, place.offset, length), this.header.sender, maxBytes);
      if (batch?.first !== place.after + 1) return undefined;
      place = { after: lastOf(batch), offset: place.offset + batch.bytes.length };
      if (place.after <= after) continue;
      if (place.after > (this.#places.at(-1)?.after ?? 0)) this.#places.push(place);
      return above(batch, after);
    }
  }

  /** How many bytes the records above a number have, or a little more. */
  bytesAbove(number: number): number {
    return number >= this.#last ? 0 : this.#size - this.#placeOf(number).offset;
  }

  /** What is acknowledged will not be read again. */
  forget(acked: number): void {
    const keep = this.#places.findLastIndex(({ after }) => after <= acked);
    if (keep > 0) this.#places.splice(0, keep);
  }

  /** Whether the file still has a name. Without one, its records would end with this process. */
  get isNamed(): boolean {
    return fstatSync(this.#fd).nlink > 0;
  }

  /** Never throws. */
  close(): void {
    try {
      closeSync(this.#fd);
    } catch {
      // A file system that is away: what it did not take was told by the write.
    }
  }

  /** Never throws. */
  remove(): void {
    this.close();
    try {
      if (this.#foreignSize !== undefined && statSync(this.path).size !== this.#foreignSize) return;
      unlinkSync(this.path);
    } catch {
      // It is gone already, or will be adopted and found to be written: neither does harm.
    }
  }

  #placeOf(after: number) {
    const place = this.#places.findLast((place) => place.after <= after) ?? this.#places[0];
    if (place === undefined) throw new TypeError('a spool file has a begin');
    return place;
  }

  #write(bytes: Uint8Array, at: number, sync: boolean): void {
    try {
      for (let done = 0; done < bytes.length; )
        done += writeSync(this.#fd, bytes, done, bytes.length - done, at + done);
      if (sync) fdatasyncSync(this.#fd);
    } catch (error) {
      // A full disk may have taken a part. If it stays there, readers see that it is no whole record.
      ftruncateSync(this.#fd, at);
      throw error;
    }
  }

  async #findEnd(): Promise<void> {
    for (;;) {
      // Holds a batch and the longest record, so that a whole record always fits.
      const bytes = read(this.#fd, this.#size, batchBytes + maxRecordBytes);
      const batch = leadingBatch(bytes, this.header.sender, batchBytes);
      if (batch?.first !== this.#last + 1) {
        // No record ends in what was not finished: each line, if it is whole, is continued by the next.
        if (bytes.length < batchBytes + maxRecordBytes && !/[^ ]\n/.test(bytes.toString('latin1'))) return;
        throw new BadSpoolError(
          this.path,
          `at byte ${this.#size} there is no record of ${this.header.sender}`,
        );
      }
      this.#size += batch.bytes.length;
      this.#last = lastOf(batch);
      // Other work comes in between.
      await setImmediate();
    }
  }
}

/** Says whose file it is. @throws BadSpoolError, or the system's error */
export function readSpoolHeader(path: string): SpoolHeader {
  const fd = openSpool(path);
  try {
    return readBegin(path, fd).header;
  } finally {
    closeSync(fd);
  }
}

/** @throws BadSpoolError for what is no file, or the system's error */
function openSpool(path: string): number {
  try {
    return openRegular(path);
  } catch (error) {
    if (error instanceof NotRegularFileError) throw new BadSpoolError(path, 'it is no regular file');
    throw error;
  }
}

/** The first line, with its newline: `# linod log spool 1 {"sender":"web[812]",…}`. The records' lines follow. */
export function formatSpoolHeader({ sender, epoch, owner, acked }: SpoolHeader): string {
  return `${mark}${JSON.stringify({ sender, epoch, owner, acked })}\n`;
}

interface Begin {
  readonly header: SpoolHeader;
  /** In bytes. */
  readonly size: number;
}

function readBegin(path: string, fd: number): Begin {
  const begin = read(fd, 0, maxHeaderBytes);
  const size = begin.indexOf('\n') + 1;
  const line = begin.toString('utf8', 0, size);
  if (line.startsWith(anyMark) && !line.startsWith(mark))
    throw new BadSpoolError(path, 'another version of linod wrote it; a worker of that version sends it');
  if (!line.startsWith(mark)) throw new BadSpoolError(path, 'its first line is not that of a spool file');
  try {
    return { header: v.parse(headerSchema, JSON.parse(line.slice(mark.length))), size };
  } catch (error) {
    throw new BadSpoolError(path, error instanceof Error ? error.message : String(error));
  }
}

function read(fd: number, offset: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  return buffer.subarray(0, readSync(fd, buffer, 0, length, offset));
}
