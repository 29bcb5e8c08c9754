// A spool file: records of one sender that wait for the logger coroutine, readable by people and adopters.

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
import { NotRegularFileError, openRegular } from '../../base/files/regular-file.js';
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
  /** The last acknowledged number when the sender began the file. */
  acked: v.number(),
});

/** The first line of a spool file: whose records follow. */
export type SpoolHeader = Readonly<v.InferOutput<typeof headerSchema>>;

/** A file in the spool directory that is not a readable spool file. */
export class BadSpoolError extends LinodError {
  constructor(path: string, problem: string) {
    super('LINOD_ERR_BAD_SPOOL', `spool file ${path} cannot be read: ${problem}`);
  }
}

/**
 * An open spool file, whose records have consecutive numbers. Synchronous, since writes go to the system's
 * page cache.
 */
export class SpoolFile {
  readonly path: string;
  readonly header: SpoolHeader;
  readonly #fd: number;
  /** For a file that another process may still write: its size in bytes when it was opened. */
  readonly #foreignSize: number | undefined;
  #size: number;
  #last: number;
  /**
   * Offsets of the records above some numbers, in rising order: the first record, and where reading has
   * ended.
   */
  #offsets: Array<{ readonly after: number; readonly offset: number }>;

  private constructor(
    path: string,
    fd: number,
    { header, size }: Beginning,
    after: number,
    foreignSize?: number,
  ) {
    this.path = path;
    this.header = header;
    this.#fd = fd;
    this.#foreignSize = foreignSize;
    this.#size = size;
    this.#last = after;
    this.#offsets = [{ after, offset: this.#size }];
  }

  /** Creates a file for the records above a number. */
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
   * Opens the file of another process. Skips an unfinished record at its end.
   *
   * @param mayGrow whether its sender may be alive. Then the file is only removed if it has not grown.
   * @throws BadSpoolError, or the system's error
   */
  static async open(path: string, mayGrow: boolean): Promise<SpoolFile> {
    const fd = openSpool(path);
    try {
      const begin = readBeginning(path, fd);
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

  /** The number of its first record; {@link forget} may raise it. */
  get first(): number {
    return (this.#offsets[0]?.after ?? 0) + 1;
  }

  /** The number of its last record; below `first` when it is empty. */
  get last(): number {
    return this.#last;
  }

  /** Appends records that follow the last one: all or none. @param sync whether to wait for the disk */
  append(batch: Batch, sync: boolean): void {
    this.#write(batch.bytes, this.#size, sync);
    this.#size += batch.bytes.length;
    this.#last = lastOf(batch);
  }

  /**
   * The next records above a number, which is below `last`; undefined when the file does not hold them any
   * more.
   *
   * @throws the system's error
   */
  next(after: number, maxBytes: number): Batch | undefined {
    for (let position = this.#offsetOf(after); ; ) {
      const length = Math.min(Math.max(maxBytes, maxRecordBytes), this.#size - position.offset);
      const batch = leadingBatch(read(this.#fd, position.offset, length), this.header.sender, maxBytes);
      if (batch?.first !== position.after + 1) return undefined;
      position = { after: lastOf(batch), offset: position.offset + batch.bytes.length };
      if (position.after <= after) continue;
      if (position.after > (this.#offsets.at(-1)?.after ?? 0)) this.#offsets.push(position);
      return above(batch, after);
    }
  }

  /** How many bytes the records above a number have, rounded up. */
  bytesAbove(number: number): number {
    return number >= this.#last ? 0 : this.#size - this.#offsetOf(number).offset;
  }

  /** Drops the offsets of acknowledged records, which are not read again. */
  forget(acked: number): void {
    const keep = this.#offsets.findLastIndex(({ after }) => after <= acked);
    if (keep > 0) this.#offsets.splice(0, keep);
  }

  /** Whether the file still has a name. Without one, it is lost with this process. */
  get isNamed(): boolean {
    return fstatSync(this.#fd).nlink > 0;
  }

  /** Never throws. */
  close(): void {
    try {
      closeSync(this.#fd);
    } catch {
      // The file system is gone. The write before has reported it.
    }
  }

  /** Never throws. */
  remove(): void {
    this.close();
    try {
      if (this.#foreignSize !== undefined && statSync(this.path).size !== this.#foreignSize) return;
      unlinkSync(this.path);
    } catch {
      // It is gone already, or an adopter finds that the log has its records.
    }
  }

  #offsetOf(after: number) {
    const position = this.#offsets.findLast((position) => position.after <= after) ?? this.#offsets[0];
    if (position === undefined) throw new TypeError('a spool file has a first offset');
    return position;
  }

  #write(bytes: Uint8Array, at: number, sync: boolean): void {
    try {
      for (let done = 0; done < bytes.length; )
        done += writeSync(this.#fd, bytes, done, bytes.length - done, at + done);
      if (sync) fdatasyncSync(this.#fd);
    } catch (error) {
      // A full disk may hold a part. If it stays, readers see that the record is unfinished.
      ftruncateSync(this.#fd, at);
      throw error;
    }
  }

  async #findEnd(): Promise<void> {
    for (;;) {
      // Space for a batch and the longest record, so that a whole record always fits.
      const bytes = read(this.#fd, this.#size, batchBytes + maxRecordBytes);
      const batch = leadingBatch(bytes, this.header.sender, batchBytes);
      if (batch?.first !== this.#last + 1) {
        // In an unfinished record, every whole line ends with the mark that another line follows.
        if (bytes.length < batchBytes + maxRecordBytes && !/[^ ]\n/.test(bytes.toString('latin1'))) return;
        throw new BadSpoolError(
          this.path,
          `at byte ${this.#size} there is no record of ${this.header.sender}`,
        );
      }
      this.#size += batch.bytes.length;
      this.#last = lastOf(batch);
      // Lets other work run in between.
      await setImmediate();
    }
  }
}

/** Reads whose file it is. @throws BadSpoolError, or the system's error */
export function readSpoolHeader(path: string): SpoolHeader {
  const fd = openSpool(path);
  try {
    return readBeginning(path, fd).header;
  } finally {
    closeSync(fd);
  }
}

/** @throws BadSpoolError for anything but a regular file, or the system's error */
function openSpool(path: string): number {
  try {
    return openRegular(path);
  } catch (error) {
    if (error instanceof NotRegularFileError) throw new BadSpoolError(path, 'it is not a regular file');
    throw error;
  }
}

/**
 * The first line, with its newline: `# linod log spool 1 {"sender":"web[812]",…}`. The records' lines follow.
 */
export function formatSpoolHeader({ sender, epoch, owner, acked }: SpoolHeader): string {
  return `${mark}${JSON.stringify({ sender, epoch, owner, acked })}\n`;
}

interface Beginning {
  readonly header: SpoolHeader;
  /** In bytes. */
  readonly size: number;
}

function readBeginning(path: string, fd: number): Beginning {
  const begin = read(fd, 0, maxHeaderBytes);
  const size = begin.indexOf('\n') + 1;
  const line = begin.toString('utf8', 0, size);
  if (line.startsWith(anyMark) && !line.startsWith(mark))
    throw new BadSpoolError(path, 'another version of linod wrote it; a worker of that version can send it');
  if (!line.startsWith(mark))
    throw new BadSpoolError(path, 'its first line is not the header of a spool file');
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
