// Reads the last records of a log, and follows those that are added.

import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { recordEnd } from '../format/formats.js';
import { type Chunk, chunksOf, lastRecordEnd } from './chunks.js';
import {
  absent,
  findLogParts,
  fingerprintOf,
  firstLineOf,
  type LogPart,
  openPart,
  predecessorOf,
} from './files.js';
import { RecordFilter, type Shown, type Wanted } from './filter.js';
import { RecordScanner } from './records.js';

export interface TailOptions {
  /** How many of the last records; default: all that match. */
  readonly last?: number | undefined;
  readonly wanted?: Wanted | undefined;
  /** Whether to follow added records, even when the file is rotated. */
  readonly follow: boolean;
  /** The site's time zone, for times without an offset. */
  readonly timezone: string;
  /** Ends reading and following. */
  readonly signal: AbortSignal;
}

/** Called with each match, and awaited, so that a slow reader is not flooded. */
export type Show = (records: readonly Shown[]) => Promise<void> | void;

/** Tolerance for file times: a file may have been written this long after its time. */
const clockSlackMs = 60_000;
/** A writer continues in a renamed file at most this long. */
const lateWriteMs = 50;
const pollMs = 200;
/** How much of a file's end is read first; then four times as much, and so on. */
const firstWindowBytes = 256 * 1024;

/**
 * Passes on the last records of a log, only whole ones, and then new ones as they arrive. Reads older files
 * if the newest has too few.
 *
 * @returns false when there is no log, and it is not followed
 */
export async function tail(path: string, options: TailOptions, show: Show): Promise<boolean> {
  const { last, wanted, follow, timezone } = options;
  // A file that has not changed since then holds nothing that was logged since then.
  const since = (wanted?.since ?? Number.NEGATIVE_INFINITY) - clockSlackMs;
  const run = new Tail(path, options, show);
  try {
    await run.open();
    const parts = await findLogParts(path, timezone);
    if (parts.length === 0 && !follow) return false;
    const rotated = run.before(parts).filter(({ changedAt }) => changedAt >= since);
    if (last === undefined) {
      await run.showAll(rotated);
      await run.showNew();
    } else await run.showLast(last, rotated);
    if (follow) await run.follow();
  } finally {
    await run.close();
  }
  return true;
}

class Tail {
  readonly #path: string;
  readonly #options: TailOptions;
  readonly #show: Show;
  /** The current file, how much of it was read, and its first line; empty while that is unfinished. */
  #file: FileHandle | undefined;
  #offset = 0;
  #firstLine = '';
  /** Whether it has the name of the log. Nothing is added to a rotated file. */
  #isNewest = true;

  constructor(path: string, options: TailOptions, show: Show) {
    this.#path = path;
    this.#options = options;
    this.#show = show;
  }

  /** Begins with the newest file, if there is one. */
  async open(): Promise<void> {
    this.#file = await openIfThere(this.#path);
    if (this.#file !== undefined) this.#firstLine = await firstLineOf(this.#file);
  }

  /** The files before the current one, which may itself have been rotated. */
  before(parts: readonly LogPart[]): LogPart[] {
    const own = parts.findIndex((part) => this.#isOwn(part));
    return own < 0 ? parts.filter(({ path }) => path !== this.#path) : parts.slice(0, own);
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  /** Shows the rotated files. */
  async showAll(rotated: readonly LogPart[]): Promise<void> {
    for (const part of rotated) await this.#with(part, (file) => this.#showChunks(chunksOf(file)));
  }

  /** Shows the last records, and remembers where they end in the newest file. */
  async showLast(last: number, rotated: readonly LogPart[]): Promise<void> {
    let shown: Shown[] = [];
    if (this.#file !== undefined) {
      this.#offset = await wholeSize(this.#file);
      if (last > 0) shown = await this.#lastOf(this.#file, this.#offset, last);
    }
    for (const part of [...rotated].reverse()) {
      if (shown.length >= last || this.#options.signal.aborted) break;
      const size = part.isCompressed ? undefined : part.bytes;
      const earlier = await this.#with(part, (file) => this.#lastOf(file, size, last - shown.length));
      shown = [...(earlier ?? []), ...shown];
    }
    if (shown.length > 0) await this.#show(shown);
  }

  /**
   * Shows what was added to the newest file. @param isLast whether nothing more will be added, so that the
   * rest is shown, too
   */
  async showNew(isLast = false): Promise<void> {
    if (this.#file === undefined) return;
    // The first line identifies the file later.
    if (this.#firstLine === '') this.#firstLine = await firstLineOf(this.#file);
    if (this.#firstLine === '' && !isLast) return;
    await this.#showChunks(this.#newChunks(this.#file, isLast));
  }

  /** Shows new records until it is aborted. */
  async follow(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      await this.showNew();
      await setTimeout(pollMs, undefined, { signal }).catch(() => undefined);
      if (this.#file === undefined) await this.open();
      else await this.#catchUp();
    }
  }

  /** Shows the files that were rotated since the last poll, and continues with the newest one. */
  async #catchUp(): Promise<void> {
    const { timezone, signal } = this.#options;
    while (this.#file !== undefined && !signal.aborted) {
      const isRotated = await this.#isRotated(this.#file);
      if (!isRotated && !(await this.#isEmptied(this.#file))) return;
      if (isRotated) {
        await setTimeout(lateWriteMs);
        await this.showNew(true);
      }
      if (!(await this.#goOn(await findLogParts(this.#path, timezone), isRotated))) return;
    }
  }

  /**
   * Opens the next file; after an emptied one, its copy at the same offset. @returns false if it cannot be
   * found now
   */
  async #goOn(found: readonly LogPart[], isRotated: boolean): Promise<boolean> {
    // Without a first line, the order of the files is unknown, and files between would be missed.
    const parts = found.filter(({ firstLine }) => firstLine !== '');
    const newest = parts.find(({ path }) => path === this.#path);
    const own = parts.findIndex((part) => part !== newest && this.#isOwn(part));
    const isNext = (part: LogPart) => predecessorOf(part) === fingerprintOf(this.#firstLine);
    const next = (own < 0 ? parts.find(isNext) : parts[isRotated ? own + 1 : own]) ?? newest;
    const file = next && (await openPart(next));
    if (file === undefined) return false;
    await this.close();
    this.#file = file;
    this.#isNewest = next === newest;
    if (next?.firstLine !== this.#firstLine) this.#offset = 0;
    this.#firstLine = this.#isNewest ? await firstLineOf(file) : (next?.firstLine ?? '');
    return true;
  }

  #isOwn({ firstLine }: LogPart): boolean {
    return firstLine !== '' && firstLine === this.#firstLine;
  }

  /** Whether the path names another file now. */
  async #isRotated(file: FileHandle): Promise<boolean> {
    if (!this.#isNewest) return true;
    const [named, own] = await Promise.all([stat(this.#path).catch(() => undefined), file.stat()]);
    return named !== undefined && (named.ino !== own.ino || named.dev !== own.dev);
  }

  /**
   * Whether the file was emptied, and perhaps written again. A record that the writer took back does not
   * count.
   */
  async #isEmptied(file: FileHandle): Promise<boolean> {
    if (this.#firstLine !== '' && (await firstLineOf(file)) !== this.#firstLine) return true;
    this.#offset = Math.min(this.#offset, (await file.stat()).size);
    return false;
  }

  async *#newChunks(file: FileHandle, isLast: boolean): AsyncGenerator<Chunk> {
    const { size } = await file.stat();
    for await (const chunk of chunksOf(file, { from: this.#offset, to: size })) {
      if (chunk.isTail && !isLast) return;
      this.#offset += chunk.bytes.length;
      yield chunk;
    }
  }

  /**
   * The last matching records of a file. @param size where it ends; undefined for a compressed one, which is
   * read whole
   */
  async #lastOf(file: FileHandle, size: number | undefined, count: number): Promise<Shown[]> {
    for (let window = firstWindowBytes; ; window *= 4) {
      const from = size === undefined ? 0 : Math.max(0, size - window);
      const chunks = chunksOf(file, { from, to: size });
      let last: Shown[] = [];
      for await (const shown of this.#pick(from === 0 ? chunks : behindFirstRecord(chunks))) {
        last = [...last, ...shown].slice(-count);
      }
      if (from === 0 || last.length >= count || this.#options.signal.aborted) return last;
    }
  }

  /** Calls a function with a file, unless that was removed meanwhile. */
  async #with<T>({ path }: LogPart, action: (file: FileHandle) => Promise<T>): Promise<T | undefined> {
    const file = await openIfThere(path);
    try {
      return file && (await action(file));
    } finally {
      await file?.close();
    }
  }

  async #showChunks(chunks: AsyncIterable<Chunk>): Promise<void> {
    for await (const shown of this.#pick(chunks)) if (shown.length > 0) await this.#show(shown);
  }

  /** The matches of each chunk; at last, why there are no more. */
  async *#pick(chunks: AsyncIterable<Chunk>): AsyncGenerator<Shown[]> {
    const { wanted = {}, timezone, signal } = this.#options;
    const scanner = new RecordScanner(timezone);
    const filter = new RecordFilter(wanted);
    try {
      for await (const chunk of chunks) {
        if (signal.aborted) return;
        const picked = Array.from(scanner.scan(chunk), (found) => filter.pick(found, chunk.bytes));
        yield picked.filter((shown) => shown !== undefined);
      }
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      yield [{ text: `[the rest of this file of the log cannot be read: ${problem}]`, level: undefined }];
    }
  }
}

/** The size of the whole records in a growing file. */
async function wholeSize(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  const from = Math.max(0, size - firstWindowBytes);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
  return from + lastRecordEnd(buffer.subarray(0, bytesRead));
}

/** Skips the record in which the chunks begin. */
async function* behindFirstRecord(chunks: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
  let isFirst = true;
  for await (const { bytes, isTail } of chunks) {
    const start = isFirst ? recordEnd(bytes.toString('latin1'), 1) : 0;
    isFirst = false;
    yield { bytes: start < 0 ? Buffer.alloc(0) : bytes.subarray(start), isTail };
  }
}

/** Opens a file for reading; undefined when there is none. */
async function openIfThere(path: string): Promise<FileHandle | undefined> {
  return await open(path, 'r').catch(absent(undefined));
}
