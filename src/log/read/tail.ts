// The last records of a log that are asked for, and those that are added.

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
  /** How many of the last records; all that match when left out. */
  readonly last?: number | undefined;
  readonly wanted?: Wanted | undefined;
  /** Whether to go on with what is added, also when the file is rotated. */
  readonly follow: boolean;
  /** The site's, for times that do not tell their offset. */
  readonly timezone: string;
  /** Ends the following, and the reading. */
  readonly signal: AbortSignal;
}

/** Is waited for, so that a slow reader is not flooded. */
export type Show = (records: readonly Shown[]) => Promise<void> | void;

/** A file that was written before that may still have been written to at that time. */
const clockSlackMs = 60_000;
/** A writer that has renamed its file, or whose file was renamed, writes there no longer than that. */
const lateWriteMs = 50;
const pollMs = 200;
/** So much of a file is read first for its last records; then four times as much, and so on. */
const firstWindowBytes = 256 * 1024;

/**
 * Hands over the last records of a log, whole ones only, and the further ones as they come. Older files are read when there are
 * not enough in the newest.
 *
 * @returns false when there is no log, and it was not to be followed
 */
export async function tail(path: string, options: TailOptions, show: Show): Promise<boolean> {
  const { last, wanted, follow, timezone } = options;
  // What was not changed since then has nothing that was logged since then.
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
  /** The file that is read, how much of it was, and how it begins; empty as long as its first line is unfinished. */
  #file: FileHandle | undefined;
  #offset = 0;
  #firstLine = '';
  /** Whether it has the name of the log, and not of a rotated file, to which nothing is added. */
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

  /** The files before the one that is read, which may have been rotated since it was opened. */
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

  /** Shows the last records, and leaves the newest file where they end. */
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

  /** Shows what was added to the newest file. @param isLast nothing will be added: the rest is shown whole or not */
  async showNew(isLast = false): Promise<void> {
    if (this.#file === undefined) return;
    // What was read has a beginning by which it is known again.
    if (this.#firstLine === '') this.#firstLine = await firstLineOf(this.#file);
    if (this.#firstLine === '' && !isLast) return;
    await this.#showChunks(this.#newChunks(this.#file, isLast));
  }

  /** Shows what comes, until it is aborted. */
  async follow(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      await this.showNew();
      await setTimeout(pollMs, undefined, { signal }).catch(() => undefined);
      if (this.#file === undefined) await this.open();
      else await this.#catchUp();
    }
  }

  /** Shows file after file what was rotated since the last look, and goes on with the newest one. */
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
   * Opens the file that follows; of one that was emptied, its copy where it was left. @returns false when it cannot be found
   * just now
   */
  async #goOn(found: readonly LogPart[], isRotated: boolean): Promise<boolean> {
    // Without a beginning nothing tells what a file follows, and what is between would not be found any more.
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

  /** Whether the path names another file by now. */
  async #isRotated(file: FileHandle): Promise<boolean> {
    if (!this.#isNewest) return true;
    const [named, own] = await Promise.all([stat(this.#path).catch(() => undefined), file.stat()]);
    return named !== undefined && (named.ino !== own.ino || named.dev !== own.dev);
  }

  /** Whether the file was emptied, and perhaps written anew. Of what the writer took back, only that comes again. */
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

  /** The last matching records of a file. @param size where it ends; undefined for a compressed one, which is read whole */
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

  /** Does something with a file, unless it has gone meanwhile. */
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

  /** What is asked for of each chunk; at last, why there is no more. */
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

/** How much of a growing file is whole records. */
async function wholeSize(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  const from = Math.max(0, size - firstWindowBytes);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
  return from + lastRecordEnd(buffer.subarray(0, bytesRead));
}

/** Leaves out the record in which the chunks begin. */
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
