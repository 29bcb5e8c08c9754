// The last records of a log that are asked for, and those that are added.

import type { FileHandle } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { recordEnd } from '../formats/formats.js';
import { type Chunk, chunksOf } from './chunks.js';
import { findLogParts, type LogPart } from './files.js';
import { RecordFilter, type Shown, type Wanted } from './filter.js';
import { FollowedFile, openIfThere } from './followed-file.js';
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
  const parts = await findLogParts(path, options.timezone);
  if (parts.length === 0 && !options.follow) return false;
  const run = new Tail(path, options, show);
  const current = await FollowedFile.open(path);
  const rotated = parts.filter((part) => part.path !== path);
  try {
    if (options.last === undefined) await run.showAll(rotated);
    else await run.showLast(options.last, rotated, current);
  } catch (error) {
    await current?.close();
    throw error;
  }
  await run.follow(current);
  return true;
}

class Tail {
  readonly #path: string;
  readonly #options: TailOptions;
  readonly #show: Show;

  constructor(path: string, options: TailOptions, show: Show) {
    this.#path = path;
    this.#options = options;
    this.#show = show;
  }

  /** Shows the rotated files. */
  async showAll(rotated: readonly LogPart[]): Promise<void> {
    for (const part of this.#recent(rotated)) await this.#showPart(part, 0);
  }

  /** Shows the last records, and leaves the newest file where they end. */
  async showLast(
    last: number,
    rotated: readonly LogPart[],
    current: FollowedFile | undefined,
  ): Promise<void> {
    let shown: Shown[] = [];
    if (current !== undefined) {
      current.offset = await current.wholeSize();
      shown = await this.#lastOf(current.handle, current.offset, last);
    }
    for (const part of this.#recent(rotated).reverse()) {
      if (shown.length >= last || this.#options.signal.aborted) break;
      const size = part.isCompressed ? undefined : part.bytes;
      const earlier = await this.#with(part, (file) => this.#lastOf(file, size, last - shown.length));
      shown = [...(earlier ?? []), ...shown];
    }
    if (shown.length > 0) await this.#show(shown);
  }

  /** Shows what is there and, if asked for, what comes, until it is aborted. Closes the file. */
  async follow(newest: FollowedFile | undefined): Promise<void> {
    const { signal, follow } = this.#options;
    let current = newest;
    try {
      if (current !== undefined) await this.#showChunks(current.read());
      while (follow && !signal.aborted) {
        await setTimeout(pollMs, undefined, { signal }).catch(() => undefined);
        current ??= await FollowedFile.open(this.#path);
        const fate = await current?.fate();
        if (current !== undefined && (fate === 'replaced' || fate === 'emptied')) {
          await this.#finish(current, fate);
          current = await FollowedFile.open(this.#path);
        }
        if (current !== undefined) await this.#showChunks(current.read());
      }
    } finally {
      await current?.close();
    }
  }

  /** The file was renamed or emptied: shows what is left of it, and what came between it and the newest. */
  async #finish(old: FollowedFile, fate: 'replaced' | 'emptied'): Promise<void> {
    if (fate === 'replaced') {
      await setTimeout(lateWriteMs);
      await this.#showChunks(old.read(true));
    }
    await old.close();
    const parts = await findLogParts(this.#path, this.#options.timezone);
    const index = parts.findIndex(({ firstLine }) => firstLine !== '' && firstLine === old.firstLine);
    if (index < 0) return;
    for (const part of parts.slice(index).filter((part) => part.path !== this.#path)) {
      await this.#showPart(part, part.firstLine === old.firstLine ? old.offset : 0);
    }
  }

  /** What was not changed since then has nothing that was logged since then. */
  #recent(parts: readonly LogPart[]): LogPart[] {
    const since = this.#options.wanted?.since ?? Number.NEGATIVE_INFINITY;
    return parts.filter(({ changedAt }) => changedAt >= since - clockSlackMs);
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

  async #showPart(part: LogPart, from: number): Promise<void> {
    await this.#with(part, (file) => this.#showChunks(chunksOf(file, { from })));
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

/** Leaves out the record in which the chunks begin. */
async function* behindFirstRecord(chunks: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
  let isFirst = true;
  for await (const { bytes, isTail } of chunks) {
    const start = isFirst ? recordEnd(bytes.toString('latin1'), 1) : 0;
    isFirst = false;
    yield { bytes: start < 0 ? Buffer.alloc(0) : bytes.subarray(start), isTail };
  }
}
