// The file that the writer appends to: all of a write or nothing of it, and still the file of that name.

import { constants, lstatSync, type Stats } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { NotRegularFileError, notRegular, regularFlags } from '../../base/regular-file.js';
import { type Chunk, chunksOf } from '../read/chunks.js';
import { fingerprintOf, firstLineOf } from '../read/files.js';

/**
 * What happened to the file since the last write: `replaced` when the path names another file, or none; `removed` when,
 * besides, no path names this one any more; `emptied` when someone has cut it.
 */
export type FileState = 'unchanged' | 'grown' | 'replaced' | 'removed' | 'emptied';

const appendFlags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | regularFlags;

export class LogFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #inode: number;
  readonly #device: number;
  #size: number;
  #fingerprint = '';

  /** Opens the file for appending; makes it, and its directory, if need be. @throws NotRegularFileError */
  static async open(path: string): Promise<LogFile> {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(path, appendFlags).catch((error: unknown) => {
      throw notRegular(path, error);
    });
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new NotRegularFileError(path);
      return new LogFile(path, handle, stats);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  private constructor(path: string, handle: FileHandle, { size, ino, dev }: Stats) {
    this.path = path;
    this.#handle = handle;
    this.#size = size;
    this.#inode = ino;
    this.#device = dev;
  }

  /** Bytes that are known to be in it. */
  get size(): number {
    return this.#size;
  }

  /** Whether the path still names this file, and it is as long as it was left. Adopts the size when it has grown. */
  async look(): Promise<FileState> {
    // Here and not in another thread: to wake one takes longer than the look.
    const named = lstatSync(this.path, { throwIfNoEntry: false });
    // No other file has this one's number as long as it is open.
    if (named === undefined || named.ino !== this.#inode || named.dev !== this.#device) {
      return (await this.#handle.stat()).nlink === 0 ? 'removed' : 'replaced';
    }
    if (named.size < this.#size) return 'emptied';
    if (named.size === this.#size) return 'unchanged';
    this.#size = named.size;
    return 'grown';
  }

  /** Appends all of the bytes. When that fails, what was written of them is taken back. @param sync whether to wait for the disk */
  async append(bytes: Uint8Array, sync: boolean): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; )
        done += (await this.#handle.write(bytes, done, bytes.length - done)).bytesWritten;
      if (sync) await this.#handle.datasync();
    } catch (error) {
      // If this fails as well, the next opening finds the rest and cuts it off.
      await this.#handle.truncate(this.#size).catch(() => undefined);
      throw error;
    }
    this.#size += bytes.length;
  }

  /** What is known to be in it from an offset on. */
  read(from: number): AsyncGenerator<Chunk> {
    return chunksOf(this.#handle, { from, to: this.#size });
  }

  async truncate(size: number): Promise<void> {
    await this.#handle.truncate(size);
    this.#size = size;
    this.#fingerprint = '';
  }

  async sync(): Promise<void> {
    await this.#handle.datasync();
  }

  /**
   * Tells this file from any other that had or will have its name: a digest of its first line, which no renaming
   * changes. (An inode is given to the next file as soon as this one is removed.) Empty as long as that line is unfinished.
   */
  async fingerprint(): Promise<string> {
    this.#fingerprint ||= fingerprintOf(await this.firstLine());
    return this.#fingerprint;
  }

  async firstLine(): Promise<string> {
    return await firstLineOf(this.#handle);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
