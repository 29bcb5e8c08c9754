// A log file that is being written, read as far as it has whole records.

import { type FileHandle, open, stat } from 'node:fs/promises';
import { type Block, lastRecordEnd } from './blocks.js';

/** Whether the path still names the file, and the file still begins with what was read of it. */
export type Fate = 'same' | 'gone' | 'replaced' | 'emptied';

const blockBytes = 1024 ** 2;
const firstLineBytes = 4096;
const newline = 0x0a;

export class GrowingFile {
  readonly path: string;
  readonly handle: FileHandle;
  /** What was read so far. */
  offset: number;
  /** As in {@link import('./files.js').LogPart}. */
  firstLine = '';

  /** Undefined when there is no such file. */
  static async open(path: string, offset = 0): Promise<GrowingFile | undefined> {
    try {
      const file = new GrowingFile(path, await open(path, 'r'), offset);
      file.firstLine = await file.#readFirstLine();
      return file;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  private constructor(path: string, handle: FileHandle, offset: number) {
    this.path = path;
    this.handle = handle;
    this.offset = offset;
  }

  /**
   * The next whole records, at most a MiB; undefined when there are none yet.
   *
   * @param isLast nothing will be added: the rest is handed over, too, whole or not
   */
  async next(isLast = false): Promise<Block | undefined> {
    const buffer = Buffer.allocUnsafe(blockBytes);
    const { bytesRead } = await this.handle.read(buffer, 0, blockBytes, this.offset);
    if (this.firstLine === '' && bytesRead > 0) this.firstLine = await this.#readFirstLine();
    // Emptied and written anew: these are another file's bytes, and `fate` says so.
    if (bytesRead === 0 || (await this.#readFirstLine()) !== this.firstLine) return undefined;
    const isFull = bytesRead === blockBytes;
    const whole = lastRecordEnd(buffer, bytesRead);
    const isLineCut = whole === 0 && isFull;
    // A line that is longer than a block is handed over in pieces.
    const end = isLast && !isFull ? bytesRead : isLineCut ? bytesRead : whole;
    if (end === 0) return undefined;
    const block = { bytes: buffer.subarray(0, end), offset: this.offset, isLineCut };
    this.offset += end;
    return block;
  }

  async fate(): Promise<Fate> {
    const [named, own] = await Promise.all([stat(this.path).catch(() => undefined), this.handle.stat()]);
    if (named === undefined) return 'gone';
    if (named.ino !== own.ino || named.dev !== own.dev) return 'replaced';
    if (own.size < this.offset) return 'emptied';
    return this.firstLine === (await this.#readFirstLine()) ? 'same' : 'emptied';
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  async #readFirstLine(): Promise<string> {
    const { buffer, bytesRead } = await this.handle.read(Buffer.alloc(firstLineBytes), 0, firstLineBytes, 0);
    const end = buffer.indexOf(newline);
    // An unfinished first line will be another one.
    if (end < 0 && bytesRead < firstLineBytes) return '';
    return buffer.toString('latin1', 0, end < 0 ? bytesRead : end);
  }
}
