// A spool file: records of one sender that wait for the logger coroutine, as a person and an adopter can read them.

import { closeSync, fdatasyncSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import * as v from 'valibot';
import { LinodError } from '../../errors.js';
import type { Owner } from '../../owner.js';
import { type Batch, batchBytes, leadingBatch } from '../batch.js';
import { maxRecordBytes } from '../formats/line-format.js';

/** What the first line of a spool file says: whose records follow. */
export interface SpoolHeader {
  readonly sender: string;
  readonly epoch: string;
  readonly owner: Owner;
  /** What the sender knew to be in lino.log when it began the file. */
  readonly acked: number;
}

/** Holds a batch and the longest record, so that a whole record always fits. */
const readBytes = batchBytes + maxRecordBytes;
const mark = '# linod log spool 1 ';
const maxHeaderBytes = 4096;

const schema = v.object({
  sender: v.string(),
  epoch: v.string(),
  owner: v.object({ host: v.string(), pid: v.number(), start: v.string() }),
  acked: v.number(),
});

/** A file in the spool directory that is no spool file. */
export class BadSpoolError extends LinodError {
  constructor(path: string, problem: string) {
    super('LINOD_ERR_BAD_SPOOL', `spool file ${path} cannot be read: ${problem}`);
  }
}

/** Where some records with consecutive numbers lie in a file. */
export interface SpooledBatch {
  readonly first: number;
  readonly last: number;
  readonly offset: number;
  readonly length: number;
}

/** An open spool file. Synchronous: it goes to the system's page cache, some ten microseconds for 64 kB. */
export class SpoolFile {
  readonly path: string;
  size: number;
  readonly #fd: number;
  readonly #isOurs: boolean;

  private constructor(path: string, fd: number, size: number, isOurs: boolean) {
    this.path = path;
    this.#fd = fd;
    this.size = size;
    this.#isOurs = isOurs;
  }

  static create(path: string, header: SpoolHeader): SpoolFile {
    const file = new SpoolFile(path, openSync(path, 'wx+'), 0, true);
    try {
      file.append(Buffer.from(formatSpoolHeader(header)), false);
    } catch (error) {
      file.remove();
      throw error;
    }
    return file;
  }

  /** Opens the file of another process. @param isOurs whether it may be removed */
  static openExisting(path: string, size: number, isOurs: boolean): SpoolFile {
    return new SpoolFile(path, openSync(path, 'r'), size, isOurs);
  }

  /** All of the bytes or none of them. @param sync whether to wait for the disk */
  append(bytes: Uint8Array, sync: boolean): void {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, this.size + done);
      }
      if (sync) fdatasyncSync(this.#fd);
    } catch (error) {
      // A full disk may have taken a part. If it stays there, readers see that it is no whole record.
      ftruncateSync(this.#fd, this.size);
      throw error;
    }
    this.size += bytes.length;
  }

  read({ offset, length }: Pick<SpooledBatch, 'offset' | 'length'>): Buffer {
    const buffer = Buffer.allocUnsafe(length);
    return buffer.subarray(0, readSync(this.#fd, buffer, 0, length, offset));
  }

  close(): void {
    closeSync(this.#fd);
  }

  remove(): void {
    this.close();
    if (!this.#isOurs) return;
    try {
      unlinkSync(this.path);
    } catch {
      // It is gone already, or will be adopted and found to be written: neither does harm.
    }
  }
}

/** The first line, with its newline: `# linod log spool 1 {"sender":"web[812]",…}`. The records' lines follow. */
export function formatSpoolHeader(header: SpoolHeader): string {
  return `${mark}${JSON.stringify(header)}\n`;
}

/** What an adopter reads of a spool file: whose it is, and where its batches lie. */
export interface SpoolIndex {
  readonly header: SpoolHeader;
  readonly batches: readonly SpooledBatch[];
  readonly sizeBytes: number;
}

/**
 * Looks through a whole spool file. A record that its sender did not finish writing is left out.
 *
 * @throws BadSpoolError, or the system's error when the file cannot be opened
 */
export async function readSpoolIndex(path: string): Promise<SpoolIndex> {
  const file = await open(path, 'r');
  try {
    const read = async (length: number, at: number): Promise<Buffer> => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
      return buffer.subarray(0, bytesRead);
    };
    const begin = await read(maxHeaderBytes, 0);
    const header = parseHeader(path, begin);
    const batches: SpooledBatch[] = [];
    for (let offset = begin.indexOf('\n') + 1; ; ) {
      const bytes = await read(readBytes, offset);
      const batch = bytes.length === 0 ? undefined : leadingBatch(bytes, header.sender, batchBytes);
      if (batch === undefined) {
        if (bytes.length === readBytes || !isUnfinished(bytes))
          throw new BadSpoolError(path, `at byte ${offset} there is no record of ${header.sender}`);
        return { header, batches, sizeBytes: offset };
      }
      batches.push(spooledAt(offset, batch));
      offset += batch.bytes.length;
    }
  } finally {
    await file.close();
  }
}

export function spooledAt(offset: number, { first, count, bytes }: Batch): SpooledBatch {
  return { first, last: first + count - 1, offset, length: bytes.length };
}

/** @throws BadSpoolError */
export async function readSpoolHeader(path: string): Promise<SpoolHeader> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxHeaderBytes), 0, maxHeaderBytes, 0);
    return parseHeader(path, buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

function parseHeader(path: string, begin: Buffer): SpoolHeader {
  const line = begin.toString('utf8', 0, Math.max(0, begin.indexOf('\n')));
  if (!line.startsWith(mark)) throw new BadSpoolError(path, 'its first line is not that of a spool file');
  try {
    return v.parse(schema, JSON.parse(line.slice(mark.length)));
  } catch (error) {
    throw new BadSpoolError(path, error instanceof Error ? error.message : String(error));
  }
}

/** Whether no record ends here: each line, if it is whole, is continued by the next. */
function isUnfinished(rest: Buffer): boolean {
  return !/[^ ]\n/.test(rest.toString('latin1'));
}
