// Reads a log from a position on, forwards over its files and as it grows, or backwards in windows.

import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { recordEnd } from '../format/formats.js';
import { type Chunk, chunksOf, lastRecordEnd, packingOf } from './chunks.js';
import {
  absent,
  findLogParts,
  fingerprintOf,
  firstLineOf,
  type LogPart,
  openPart,
  predecessorOf,
} from './files.js';
import { type Picked, RecordFilter, type Wanted } from './filter.js';
import type { Position } from './position.js';
import { RecordScanner } from './records.js';

export interface ReadOptions {
  readonly wanted?: Wanted | undefined;
  /** The site's time zone, for times without an offset. */
  readonly timezone: string;
  /** Ends reading and following. */
  readonly signal: AbortSignal;
}

/** A match and where it is. */
export interface PlacedRecord extends Picked {
  readonly position: Position;
}

/** The matches of one chunk, in the order of the file. */
export interface LogBatch {
  readonly records: readonly PlacedRecord[];
  /** Where reading goes on: behind the chunk, or before it when reading backwards. */
  readonly next: Position;
}

/** Tolerance for file times: a file may have been written this long after its time. */
export const clockSlackMs = 60_000;
/** A writer continues in a renamed file at most this long. */
const lateWriteMs = 50;
const pollMs = 200;
/** How much is read at once when reading backwards. */
const windowBytes = 256 * 1024;
/** Text without a record's end in this many bytes is no record. */
const maxWindowBytes = 16 * 1024 ** 2;
/** When reading backwards: after so many windows with older records only, there are no newer ones. */
const oldWindows = 16;

/** One file at a time is open: the current one. */
export class LogReader {
  readonly #path: string;
  readonly #options: ReadOptions;
  /** The current file, how much of it was read, and its first line; empty while that is unfinished. */
  #file: FileHandle | undefined;
  #offset = 0;
  #firstLine = '';
  /** Whether it has the name of the log. Nothing is added to a rotated file. */
  #isNewest = true;

  constructor(path: string, options: ReadOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** Begins at the start of the newest file, if there is one. */
  async open(): Promise<void> {
    this.#file = await openIfThere(this.#path);
    if (this.#file !== undefined) this.#firstLine = await firstLineOf(this.#file);
  }

  /** Begins at a position. @returns false when its file is no longer there */
  async openAt({ file, offset }: Position): Promise<boolean> {
    // A file may be renamed after it was found.
    for (let attempt = 0; attempt < 3; attempt++) {
      const parts = await findLogParts(this.#path, this.#options.timezone);
      // A file that is being copied exists twice; the newest of them is whole.
      const part = parts.findLast(({ firstLine }) => fingerprintOf(firstLine) === file);
      if (part === undefined || (!part.isCompressed && offset > part.bytes)) return false;
      const handle = await openPart(part);
      if (handle === undefined) continue;
      this.#file = handle;
      this.#offset = offset;
      this.#firstLine = part.firstLine;
      this.#isNewest = part.path === this.#path;
      return true;
    }
    return false;
  }

  /** Skips the records that the newest file has now. */
  async skipToEnd(): Promise<void> {
    if (this.#file !== undefined) this.#offset = await wholeSize(this.#file);
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  get isOpen(): boolean {
    return this.#file !== undefined;
  }

  /** Where reading goes on; undefined while the file has no first line. */
  get position(): Position | undefined {
    return this.#firstLine === '' ? undefined : this.#at(this.#offset);
  }

  /** About how many bytes of the log are not read yet. */
  async behind(): Promise<number> {
    const size = (await this.#file?.stat())?.size ?? 0;
    const newest = this.#isNewest ? 0 : ((await stat(this.#path).catch(absent(undefined)))?.size ?? 0);
    return Math.max(0, size - this.#offset) + newest;
  }

  /** The files before the current one, which may itself have been rotated. Those that are too old are omitted. */
  async before(): Promise<LogPart[]> {
    const parts = await findLogParts(this.#path, this.#options.timezone);
    const own = parts.findIndex((part) => this.#isOwn(part));
    const before = own < 0 ? parts.filter(({ path }) => path !== this.#path) : parts.slice(0, own);
    // A file that has not changed since then holds nothing that was logged since then.
    const since = (this.#options.wanted?.since ?? Number.NEGATIVE_INFINITY) - clockSlackMs;
    return before.filter(({ changedAt }) => changedAt >= since);
  }

  /** Reads whole files, for example those before the current one. */
  async *whole(parts: readonly LogPart[]): AsyncGenerator<LogBatch> {
    for (const part of parts) {
      const file = await this.#openRotated(part);
      try {
        if (file !== undefined) yield* this.#pick(chunksOf(file), fingerprintOf(part.firstLine), 0);
      } finally {
        await file?.close();
      }
    }
  }

  /**
   * Reads what was added to the current file. @param isLast whether nothing more will be added, so that the
   * rest is read, too
   */
  async *added(isLast = !this.#isNewest): AsyncGenerator<LogBatch> {
    if (this.#file === undefined) return;
    // The first line identifies the file later.
    if (this.#firstLine === '') this.#firstLine = await firstLineOf(this.#file);
    if (this.#firstLine === '' && !isLast) return;
    const chunks = this.#newChunks(this.#file, isLast);
    yield* this.#pick(chunks, fingerprintOf(this.#firstLine), this.#offset);
  }

  /** Reads to the end of the log, over all files that follow. */
  async *toEnd(): AsyncGenerator<LogBatch> {
    const { timezone, signal } = this.#options;
    do yield* this.added();
    while (
      !this.#isNewest &&
      !signal.aborted &&
      (await this.#goOn(await findLogParts(this.#path, timezone), true))
    );
  }

  /** Reads to the end, then what is added, until it is aborted. Yields an empty batch at each poll. */
  async *follow(): AsyncGenerator<LogBatch> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      yield* this.added();
      if (this.position !== undefined) yield { records: [], next: this.position };
      await setTimeout(pollMs, undefined, { signal }).catch(() => undefined);
      if (this.#file === undefined) await this.open();
      else yield* this.#catchUp();
    }
  }

  /**
   * Reads backwards from where it is, through the current file and then those before it. A batch comes before the one
   * that was yielded last.
   *
   * @param rotated the files before the current one, see {@link before}
   * @param count how many matches of a compressed file are kept, which is read whole
   */
  async *back(rotated: readonly LogPart[], count: number): AsyncGenerator<LogBatch> {
    const { wanted, signal } = this.#options;
    const since = (wanted?.since ?? Number.NEGATIVE_INFINITY) - clockSlackMs;
    let old = 0;
    for await (const { newest, ...batch } of this.#backOverFiles(rotated, count)) {
      yield batch;
      old = newest !== undefined && newest < since ? old + 1 : 0;
      if (signal.aborted || old > oldWindows) return;
    }
  }

  async *#backOverFiles(rotated: readonly LogPart[], count: number): AsyncGenerator<BackBatch> {
    if (this.#file !== undefined)
      yield* this.#backIn(this.#file, fingerprintOf(this.#firstLine), this.#offset, count);
    for (const part of [...rotated].reverse()) {
      const file = await this.#openRotated(part);
      try {
        if (file === undefined) continue;
        const end = part.isCompressed ? undefined : part.bytes;
        yield* this.#backIn(file, fingerprintOf(part.firstLine), end, count);
      } finally {
        await file?.close();
      }
    }
  }

  /** Opens a file that may have been compressed or renamed since it was found; undefined when it was removed. */
  async #openRotated(part: LogPart): Promise<FileHandle | undefined> {
    const file = await openPart(part, { orPacked: true });
    if (file !== undefined) return file;
    const parts = await findLogParts(this.#path, this.#options.timezone);
    const renamed = parts.find(({ firstLine }) => firstLine !== '' && firstLine === part.firstLine);
    return renamed && (await openPart(renamed, { orPacked: true }));
  }

  /** @param end undefined for all of a compressed file */
  async *#backIn(
    file: FileHandle,
    id: string,
    end: number | undefined,
    count: number,
  ): AsyncGenerator<BackBatch> {
    const { buffer: magic } = await file.read(Buffer.alloc(8), 0, 8, 0);
    if (end === undefined || packingOf(magic) !== 'plain')
      return yield await this.#lastOfPacked(file, id, end, count);
    for (let [to, size] = [end, windowBytes]; to > 0; ) {
      const from = Math.max(0, to - size);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(to - from), 0, to - from, from);
      const bytes = buffer.subarray(0, bytesRead);
      const start = from === 0 || size >= maxWindowBytes ? 0 : recordEnd(bytes.toString('latin1'), 1);
      if (from > 0 && (start < 0 || start >= bytes.length) && bytesRead > 0) {
        size *= 4;
        continue;
      }
      yield this.#pickChunk(
        { bytes: bytes.subarray(start), isTail: true },
        new RecordScanner(this.#options.timezone),
        new RecordFilter(this.#options.wanted ?? {}),
        { file: id, offset: from + start },
      );
      [to, size] = [from + start, windowBytes];
    }
  }

  async #lastOfPacked(
    file: FileHandle,
    id: string,
    end: number | undefined,
    count: number,
  ): Promise<BackBatch> {
    let records: readonly PlacedRecord[] = [];
    let isAll = true;
    for await (const batch of this.#pick(chunksOf(file, { to: end }), id, 0)) {
      records = [...records, ...batch.records];
      if (records.length > count) isAll = false;
      records = records.slice(-count);
    }
    const [first] = records;
    return { records, next: isAll || first === undefined ? { file: id, offset: 0 } : first.position };
  }

  /** Reads the files that were rotated since the last poll, and continues with the newest one. */
  async *#catchUp(): AsyncGenerator<LogBatch> {
    const { timezone, signal } = this.#options;
    while (this.#file !== undefined && !signal.aborted) {
      const isRotated = await this.#isRotated(this.#file);
      if (!isRotated && !(await this.#isEmptied(this.#file))) return;
      if (isRotated) {
        await setTimeout(lateWriteMs);
        yield* this.added(true);
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

  #at(offset: number): Position {
    return { file: fingerprintOf(this.#firstLine), offset };
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
    // A rotated file may be compressed, so that its size is no offset in it.
    const to = this.#isNewest ? (await file.stat()).size : undefined;
    for await (const chunk of chunksOf(file, { from: this.#offset, to })) {
      if (chunk.isTail && !isLast) return;
      this.#offset += chunk.bytes.length;
      yield chunk;
    }
  }

  /** The matches of each chunk; at last, why there are no more. */
  async *#pick(chunks: AsyncIterable<Chunk>, id: string, begin: number): AsyncGenerator<LogBatch> {
    const { wanted = {}, timezone, signal } = this.#options;
    const scanner = new RecordScanner(timezone);
    const filter = new RecordFilter(wanted);
    let offset = begin;
    try {
      for await (const chunk of chunks) {
        if (signal.aborted) return;
        const { records } = this.#pickChunk(chunk, scanner, filter, { file: id, offset });
        offset += chunk.bytes.length;
        yield { records, next: { file: id, offset } };
      }
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      const text = `[the rest of this file of the log cannot be read: ${problem}]`;
      const position = { file: id, offset };
      yield { records: [{ text, level: undefined, position }], next: position };
    }
  }

  #pickChunk(chunk: Chunk, scanner: RecordScanner, filter: RecordFilter, at: Position): BackBatch {
    const records: PlacedRecord[] = [];
    let newest: number | undefined;
    for (const found of scanner.scan(chunk)) {
      if (found.kind === 'record') newest = Math.max(newest ?? found.instant, found.instant);
      const picked = filter.pick(found, chunk.bytes);
      if (picked !== undefined)
        records.push({ ...picked, position: { file: at.file, offset: at.offset + found.start } });
    }
    return { records, next: at, newest };
  }
}

interface BackBatch extends LogBatch {
  /** When the newest of its records was logged, also of those that do not match. */
  readonly newest?: number | undefined;
}

/** The size of the whole records in a growing file. */
async function wholeSize(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  const from = Math.max(0, size - windowBytes);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
  return from + lastRecordEnd(buffer.subarray(0, bytesRead));
}

/** Opens a file for reading; undefined when there is none. */
async function openIfThere(path: string): Promise<FileHandle | undefined> {
  return await open(path, 'r').catch(absent(undefined));
}
