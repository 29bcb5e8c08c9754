// The file that the writer appends to: a write is complete or taken back, and a renamed file is noticed.

import { constants, lstatSync, type Stats } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { NotRegularFileError, notRegular, regularFlags } from '../../base/files/regular-file.js';
import { type Chunk, chunksOf } from '../read/chunks.js';
import { fingerprintOf, firstLineOf } from '../read/files.js';

/**
 * What has happened to the file since the last write. `replaced`: the path names another file, or none.
 * `removed`: besides, no path names this file any more. `emptied`: it is shorter than before.
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

  /**
   * Opens the file for appending. Creates it and its directory if they are missing. @throws
   * NotRegularFileError
   */
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

  /** Its known size, in bytes. */
  get size(): number {
    return this.#size;
  }

  /** Compares the file with the last write. Adopts its size when it has grown. */
  async check(): Promise<FileState> {
    // Synchronous, since waking a thread takes longer than the call.
    const named = lstatSync(this.path, { throwIfNoEntry: false });
    // No other file has this inode while the file is open.
    if (named === undefined || named.ino !== this.#inode || named.dev !== this.#device) {
      return (await this.#handle.stat()).nlink === 0 ? 'removed' : 'replaced';
    }
    if (named.size < this.#size) return 'emptied';
    if (named.size === this.#size) return 'unchanged';
    this.#size = named.size;
    return 'grown';
  }

  /**
   * Appends all of the bytes, or takes back what was written of them. @param sync whether to wait for the
   * disk
   */
  async append(bytes: Uint8Array, sync: boolean): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; )
        done += (await this.#handle.write(bytes, done, bytes.length - done)).bytesWritten;
      if (sync) await this.#handle.datasync();
    } catch (error) {
      // If this fails as well, the next opening cuts the unfinished record off.
      await this.#handle.truncate(this.#size).catch(() => undefined);
      throw error;
    }
    this.#size += bytes.length;
  }

  /** The known bytes from an offset on. */
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
   * A digest of the first line, which distinguishes this file from earlier and later ones of its name.
   * Renaming keeps it. An inode would not do: the next file may get it. Empty while the first line is
   * unfinished.
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
