// A log file that is being written, read as far as it has whole records.

import { type FileHandle, open, stat } from 'node:fs/promises';
import { type Chunk, chunksOf, lastRecordEnd } from './chunks.js';
import { firstLineOf } from './files.js';

/** Whether the path still names the file, and the file still begins with what was read of it. */
export type Fate = 'same' | 'gone' | 'replaced' | 'emptied';

/** Holds an unfinished record and the end of the one before. */
const endBytes = 256 * 1024;

export class FollowedFile {
  readonly path: string;
  readonly handle: FileHandle;
  /** What was read so far. */
  offset = 0;
  /** As in {@link import('./files.js').LogPart}; empty as long as it is unfinished. */
  firstLine = '';

  /** Undefined when there is no such file. */
  static async open(path: string): Promise<FollowedFile | undefined> {
    const handle = await openIfThere(path);
    if (handle === undefined) return undefined;
    const file = new FollowedFile(path, handle);
    file.firstLine = await firstLineOf(handle);
    return file;
  }

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.handle = handle;
  }

  /**
   * The whole records behind what was read.
   *
   * @param isLast nothing will be added: the rest is handed over, too, whole or not
   */
  async *read(isLast = false): AsyncGenerator<Chunk> {
    if (this.firstLine === '') this.firstLine = await firstLineOf(this.handle);
    const { size } = await this.handle.stat();
    for await (const chunk of chunksOf(this.handle, { from: this.offset, to: size })) {
      // Emptied and written anew: these are another file's bytes, and `fate` says so.
      if ((await firstLineOf(this.handle)) !== this.firstLine) return;
      if (chunk.isTail && !isLast) return;
      this.offset += chunk.bytes.length;
      yield chunk;
    }
  }

  /** How much of it is whole records. */
  async wholeSize(): Promise<number> {
    const { size } = await this.handle.stat();
    const from = Math.max(0, size - endBytes);
    const { buffer, bytesRead } = await this.handle.read(Buffer.alloc(size - from), 0, size - from, from);
    return from + lastRecordEnd(buffer.subarray(0, bytesRead));
  }

  async fate(): Promise<Fate> {
    const [named, own] = await Promise.all([stat(this.path).catch(() => undefined), this.handle.stat()]);
    if (named === undefined) return 'gone';
    if (named.ino !== own.ino || named.dev !== own.dev) return 'replaced';
    const isSame = own.size >= this.offset && (await firstLineOf(this.handle)) === this.firstLine;
    return isSame ? 'same' : 'emptied';
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

/** Opens a file for reading; undefined when there is none. */
export async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
