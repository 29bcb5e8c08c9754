// Reading the end of lino.log, and what is added to it.

import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { type Head, parseHead } from './format.js';

export interface TailOptions {
  /** How many of the last lines. */
  readonly lines: number;
  /** Whether to go on with what is added, also when the file is rotated. */
  readonly follow: boolean;
  /** Ends the following. */
  readonly signal: AbortSignal;
}

/** A notice of the file system may be lost; the file is looked at again after this long. */
const lookMs = 2000;
const chunkBytes = 64 * 1024;

/**
 * Hands over the last lines of a log, and the further ones as they come. Only whole lines are handed over.
 *
 * @param show given one or more lines, without their newlines
 * @returns false when there is no such file, and it was not to be followed
 */
export async function tail(
  path: string,
  options: TailOptions,
  show: (lines: readonly string[]) => void,
): Promise<boolean> {
  const file = await openIfThere(path);
  if (file === null && !options.follow) return false;
  const reader = new LineReader(path, file, show);
  try {
    await reader.showLast(options.lines);
    if (options.follow) await follow(path, reader, options.signal);
  } finally {
    await reader.close();
  }
  return true;
}

/** A record of the log as a value: its head, and all its lines as text. */
export interface ParsedRecord extends Head {
  readonly message: string;
}

/** Puts the lines of each record together again, however they come. Lines before the first head are left out. */
export class RecordReader {
  #open: { head: Head; lines: string[] } | undefined;

  /** @returns the records that are complete with these lines: a line that ends in a space is continued by the next */
  read(lines: readonly string[]): ParsedRecord[] {
    const records: ParsedRecord[] = [];
    for (const line of lines) {
      const head = parseHead(line);
      if (head !== undefined) this.#open = { head, lines: [head.text.trimEnd()] };
      else this.#open?.lines.push(line.replace(/^ {4}/, '').trimEnd());
      if (line.endsWith(' ') || this.#open === undefined) continue;
      records.push({ ...this.#open.head, message: this.#open.lines.join('\n') });
      this.#open = undefined;
    }
    return records;
  }
}

async function follow(path: string, reader: LineReader, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await reader.showNew();
    await changed(path, signal);
  }
}

/** Resolves when something happened in the log's directory, or after a while. */
function changed(path: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    let watcher: FSWatcher | undefined;
    const end = () => {
      clearTimeout(timer);
      watcher?.close();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, lookMs);
    signal.addEventListener('abort', end);
    try {
      watcher = watch(dirname(path), (_event, name) => {
        if (name === basename(path)) end();
      });
      watcher.on('error', end);
    } catch {
      // No such directory yet: the timer looks again.
    }
  });
}

class LineReader {
  readonly #path: string;
  readonly #show: (lines: readonly string[]) => void;
  #file: FileHandle | null;
  #offset = 0;
  #rest = '';
  #decoder = new StringDecoder('utf8');

  constructor(path: string, file: FileHandle | null, show: (lines: readonly string[]) => void) {
    this.#path = path;
    this.#file = file;
    this.#show = show;
  }

  async showLast(count: number): Promise<void> {
    if (this.#file === null) return;
    const { size } = await this.#file.stat();
    const parts: Buffer[] = [];
    let newlines = 0;
    let start = size;
    // The last line ends with a newline of its own, so one more than `count` is needed.
    while (start > 0 && newlines <= count) {
      const length = Math.min(chunkBytes, start);
      start -= length;
      const chunk = Buffer.alloc(length);
      await this.#file.read(chunk, 0, length, start);
      parts.unshift(chunk);
      newlines += chunk.reduce((sum, byte) => sum + (byte === 0x0a ? 1 : 0), 0);
    }
    this.#offset = size;
    const lines = this.#whole(Buffer.concat(parts));
    if (lines.length > 0) this.#show(lines.slice(-count));
  }

  async showNew(): Promise<void> {
    await this.#read();
    const now = await stat(this.#path).catch(() => null);
    const mine = await this.#file?.stat();
    const isSame = now !== null && mine !== undefined && now.ino === mine.ino && now.size >= this.#offset;
    if (isSame || (now === null && mine === undefined)) return;
    await this.close();
    this.#file = await openIfThere(this.#path);
    this.#offset = 0;
    this.#rest = '';
    this.#decoder = new StringDecoder('utf8');
    await this.#read();
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
  }

  async #read(): Promise<void> {
    const chunk = Buffer.alloc(chunkBytes);
    while (this.#file !== null) {
      const { bytesRead } = await this.#file.read(chunk, 0, chunkBytes, this.#offset);
      if (bytesRead === 0) return;
      this.#offset += bytesRead;
      const lines = this.#whole(chunk.subarray(0, bytesRead));
      if (lines.length > 0) this.#show(lines);
    }
  }

  #whole(bytes: Buffer): string[] {
    const lines = (this.#rest + this.#decoder.write(bytes)).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines;
  }
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
