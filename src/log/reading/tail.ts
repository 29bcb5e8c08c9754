// The last records of a log that are asked for, and those that are added.

import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import type { LevelName } from '../levels.js';
import { type Block, blocksOf, lastRecordEnd } from './blocks.js';
import { FileChanges } from './changes.js';
import { findLogParts, type LogPart } from './files.js';
import { RecordFilter, type Wanted } from './filter.js';
import { GrowingFile } from './growing-file.js';
import { HeadReader } from './head.js';
import { countAll, findLast, type Start } from './last-records.js';
import { Scanner, type ScanReader } from './scanner.js';

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

/** A record, or lines that are none. */
export interface Shown {
  /** All of its lines, without the last newline. */
  readonly text: string;
  /** Undefined for what is no record. */
  readonly level: LevelName | undefined;
}

/**
 * Hands over the last records of a log, whole ones only, and the further ones as they come. Older files are read when there are
 * not enough in the newest.
 *
 * @param show is waited for, so that a slow reader is not flooded
 * @returns false when there is no log, and it was not to be followed
 */
export async function tail(
  path: string,
  options: TailOptions,
  show: (records: readonly Shown[]) => Promise<void> | void,
): Promise<boolean> {
  const parts = await findLogParts(path, options.timezone);
  const isThere = parts.some((part) => part.path === path);
  if (parts.length === 0 && !options.follow) return false;
  const run = new Tail(path, options, show);
  try {
    const current = await run.showLast(parts.filter((part) => part.path !== path));
    if (options.follow) await run.follow(current);
    else await current?.close();
  } finally {
    run.close();
  }
  return isThere || options.follow || parts.length > 0;
}

/** A file that was written before that may still have been written to at that time. */
const clockSlackMs = 60_000;
/** A writer that has renamed its file, or whose file was renamed, writes there no longer than that. */
const lateWriteMs = 50;

class Tail implements ScanReader {
  readonly #path: string;
  readonly #options: TailOptions;
  readonly #show: (records: readonly Shown[]) => Promise<void> | void;
  readonly #head: HeadReader;
  readonly #filter: RecordFilter;
  readonly #changes: FileChanges;
  #found: Shown[] = [];
  /** Records that match and are not to be shown. */
  #skip = 0;
  /** Records before this place of the file were shown before. */
  #from = 0;
  #blockOffset = 0;

  constructor(path: string, options: TailOptions, show: (records: readonly Shown[]) => Promise<void> | void) {
    this.#path = path;
    this.#options = options;
    this.#show = show;
    this.#head = new HeadReader(options.timezone);
    this.#filter = new RecordFilter(options.wanted ?? {});
    this.#changes = new FileChanges(path);
  }

  close(): void {
    this.#changes.close();
  }

  /** Shows what is asked for of what is there. @returns the newest file, read as far as it has whole records */
  async showLast(rotated: readonly LogPart[]): Promise<GrowingFile | undefined> {
    const current = await GrowingFile.open(this.#path);
    const since = this.#options.wanted?.since ?? Number.NEGATIVE_INFINITY;
    const recent = rotated.filter(({ changedAt }) => changedAt >= since - clockSlackMs);
    const opened = await this.#findStart(recent, current);
    for (const { file, start } of opened) {
      try {
        this.#skip += start.skip;
        await this.#showFile(file, start.offset);
      } finally {
        await file.close();
      }
    }
    if (current !== undefined) await this.#drain(current);
    return current;
  }

  /** Goes on until it is aborted. */
  async follow(newest: GrowingFile | undefined): Promise<void> {
    const { signal } = this.#options;
    let current = newest;
    try {
      for (; !signal.aborted; await this.#changes.next(signal)) {
        current ??= await GrowingFile.open(this.#path);
        if (current === undefined) continue;
        const fate = await current.fate();
        if (fate === 'replaced' || fate === 'emptied') current = await this.#goOn(current, fate);
        if (current !== undefined) await this.#drain(current);
      }
    } finally {
      await current?.close();
    }
  }

  // Finding the beginning

  /**
   * Looks from the newest file back until enough is found, and leaves the newest at its start.
   *
   * @returns the older files that are to be shown, the oldest first
   */
  async #findStart(
    rotated: readonly LogPart[],
    current: GrowingFile | undefined,
  ): Promise<Array<{ readonly file: FileHandle; readonly start: Start }>> {
    const { last = Number.POSITIVE_INFINITY } = this.#options;
    let wanted = last;
    if (current !== undefined && last !== Number.POSITIVE_INFINITY) {
      const size = await wholeSize(current.handle);
      const start = await findLast(current.handle, size, wanted, this.#countingFilter(), this.#head);
      current.offset = start.offset;
      wanted -= start.found;
    }
    const opened: Array<{ file: FileHandle; start: Start }> = [];
    for (const part of [...rotated].reverse()) {
      if (wanted <= 0 || this.#options.signal.aborted) break;
      const file = await openIfThere(part.path);
      if (file === undefined) continue;
      const start = await this.#startIn(file, part, wanted);
      wanted -= start.found;
      opened.unshift({ file, start });
    }
    return opened;
  }

  async #startIn(file: FileHandle, part: LogPart, wanted: number): Promise<Start> {
    if (wanted === Number.POSITIVE_INFINITY) return { offset: 0, found: 0, skip: 0 };
    const filter = this.#countingFilter();
    try {
      if (part.isCompressed) return await countAll(file, wanted, filter, this.#head);
      return await findLast(file, (await file.stat()).size, wanted, filter, this.#head);
    } catch {
      // What can be read of it is shown, and why there is no more.
      return { offset: 0, found: 0, skip: 0 };
    }
  }

  /** A filter that knows nothing of what is shown. */
  #countingFilter(): RecordFilter {
    return new RecordFilter(this.#options.wanted ?? {});
  }

  // Showing

  record(head: HeadReader, bytes: Buffer, start: number, end: number): void {
    if (!this.#filter.record(head, bytes, start, end)) return;
    this.#add(bytes, start, end, head.level);
  }

  stray(_: unknown, bytes: Buffer, start: number, end: number): void {
    if (end > start && this.#filter.stray(bytes, start, end)) this.#add(bytes, start, end, undefined);
  }

  #add(bytes: Buffer, start: number, end: number, level: LevelName | undefined): void {
    if (this.#blockOffset + start < this.#from) return;
    if (this.#skip > 0) {
      this.#skip--;
      return;
    }
    const to = bytes[end - 1] === 0x0a ? end - 1 : end;
    this.#found.push({ text: bytes.toString('utf8', start, to), level });
  }

  async #showBlock(scanner: Scanner, block: Block): Promise<void> {
    this.#blockOffset = block.offset;
    scanner.feed(block);
    await this.#flush();
  }

  async #flush(): Promise<void> {
    const found = this.#found;
    this.#found = [];
    if (found.length > 0) await this.#show(found);
  }

  /** Shows a file that is not written any more, from a place on. What cannot be read is told in its place. */
  async #showFile(file: FileHandle, from: number): Promise<void> {
    this.#from = from;
    const scanner = new Scanner(this, this.#head);
    try {
      for await (const block of blocksOf(file, { from })) {
        if (this.#options.signal.aborted) return;
        await this.#showBlock(scanner, block);
      }
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      this.#found.push({
        text: `[the rest of this file of the log cannot be read: ${problem}]`,
        level: undefined,
      });
    }
    scanner.finish();
    await this.#flush();
    this.#from = 0;
  }

  /** Shows the whole records that are there. */
  async #drain(file: GrowingFile, isLast = false): Promise<void> {
    const scanner = new Scanner(this, this.#head);
    for (let block = await file.next(isLast); block !== undefined; block = await file.next(isLast)) {
      if (this.#options.signal.aborted) return;
      await this.#showBlock(scanner, block);
    }
    scanner.finish();
    await this.#flush();
  }

  /** The file was renamed or emptied: shows what is left of it, and what came between it and the newest. */
  async #goOn(old: GrowingFile, fate: 'replaced' | 'emptied'): Promise<GrowingFile | undefined> {
    const { timezone } = this.#options;
    if (fate === 'replaced') {
      await setTimeout(lateWriteMs);
      await this.#drain(old, true);
    }
    const { firstLine, offset } = old;
    await old.close();
    const parts = await findLogParts(this.#path, timezone);
    const index = firstLine === '' ? -1 : parts.findIndex((part) => part.firstLine === firstLine);
    const between = index < 0 ? [] : parts.slice(index).filter((part) => part.path !== this.#path);
    for (const part of between) {
      const file = await openIfThere(part.path);
      if (file === undefined) continue;
      try {
        await this.#showFile(file, part.firstLine === firstLine ? offset : 0);
      } finally {
        await file.close();
      }
    }
    return await GrowingFile.open(this.#path);
  }
}

/** How much of a file is whole records. */
async function wholeSize(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  const length = Math.min(size, 1024 ** 2);
  const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, size - length);
  const end = lastRecordEnd(buffer, bytesRead);
  return end === 0 ? size - (size > length ? 0 : bytesRead) : size - length + end;
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
