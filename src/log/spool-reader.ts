// Reads what senders of this machine have laid down in their spool files, for the writer.

import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { maxRecordBytes } from './formats/line-format.js';

/**
 * What is read at once: always a whole record, and mostly hundreds. While senders are put in order, each of them has one in
 * memory, so more would make a log of many senders large and nothing quicker.
 */
const chunkBytes = maxRecordBytes;
/** So little is cheaper to allocate than to keep. */
const smallBytes = 4096;
/** Buffers that are kept for the next reads: 4 MB. What is thrown away stays in memory until the next collection. */
const maxSpare = 64;
/** Files that stay open. A file that goes on is read again soon. */
const maxOpen = 64;

/**
 * Synchronous, as the spool is: what was written a moment ago is read from the system's page cache, some ten microseconds
 * for 64 kB.
 */
export class SpoolReader {
  readonly #directories: readonly string[];
  /** The one that was used last comes last. */
  readonly #open = new Map<string, number>();

  #spare: Buffer[] = [];

  /** @param directories in which files are looked for, in this order */
  constructor(directories: readonly string[]) {
    this.#directories = directories;
  }

  /**
   * At most 64 kB of a file.
   *
   * @throws the system's error, such as ENOENT for a file of another machine
   */
  read(file: string, offset: number, length: number): Buffer {
    const descriptor = this.#descriptor(file);
    const size = Math.min(length, chunkBytes);
    const buffer = size > smallBytes ? (this.#spare.pop() ?? Buffer.allocUnsafeSlow(chunkBytes)) : undefined;
    const target = buffer ?? Buffer.allocUnsafe(size);
    return target.subarray(0, readSync(descriptor, target, 0, size, offset));
  }

  /** What was read is needed no more. */
  recycle({ buffer }: Buffer): void {
    if (buffer.byteLength === chunkBytes && this.#spare.length < maxSpare)
      this.#spare.push(Buffer.from(buffer));
  }

  /** Closes the files; the next `read` opens what it needs. */
  close(): void {
    for (const descriptor of this.#open.values()) closeSync(descriptor);
    this.#open.clear();
    this.#spare = [];
  }

  #descriptor(file: string): number {
    const known = this.#open.get(file);
    if (known !== undefined) this.#open.delete(file);
    const descriptor = known ?? this.#find(file);
    this.#open.set(file, descriptor);
    const [oldest] = this.#open;
    if (this.#open.size > maxOpen && oldest !== undefined) {
      closeSync(oldest[1]);
      this.#open.delete(oldest[0]);
    }
    return descriptor;
  }

  #find(file: string): number {
    let missing: unknown = new RangeError('there is no spool directory');
    for (const directory of this.#directories) {
      try {
        return openSync(join(directory, file), 'r');
      } catch (error) {
        missing = error;
      }
    }
    throw missing;
  }
}
