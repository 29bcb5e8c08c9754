// Opens the log file, reads it back, repairs it, and follows it when it is renamed.

import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../base/clock.js';
import { parseHead, recordInstant } from '../format/formats.js';
import { type Chunk, readChunks } from '../read/chunks.js';
import { findLogParts, fingerprintOf, type LogPart, predecessorOf } from '../read/files.js';
import type { Inbox } from './inbox.js';
import { type OnFound, readLedger, type Unfinished } from './ledger.js';
import { LogFile } from './log-file.js';
import type { Notes } from './notes.js';

/** `offset` bytes into the log file with this fingerprint. */
export interface FileOffset {
  readonly file: string;
  readonly offset: number;
}

export interface LedgerFileOptions {
  readonly path: string;
  /** The zone of times that have no offset. */
  readonly timezone: string;
  readonly clock: Clock;
  /** Makes the beginning of a new file, and the remarks about damage. */
  readonly notes: Notes;
  /** Receives the positions that the file holds. */
  readonly inbox: Inbox;
  /** Called before the inbox's positions are written to a new file. */
  readonly onNewFile: () => Promise<void>;
}

/**
 * Keeps one log file open, and knows everything in it up to `knownUpTo`.
 *
 * `ready` opens the file if it is closed, and reads what is new. `append` needs an open file. An error closes
 * the file, so that the next `ready` opens it again and finds out what it holds.
 */
export class LedgerFile {
  /** Notes about the file that the next write adds to it. */
  readonly remarks: string[] = [];
  readonly #options: LedgerFileOptions;
  #epochs = new Map<string, string>();
  #file: LogFile | undefined;
  /** Everything before this offset is known. */
  #known: FileOffset | undefined;
  /** Whether an earlier process saved `#known`, so that a renamed file may hold more. */
  #isFromBefore = false;
  /** Whether the file of `#known` may be lost. */
  #mayBeGone = false;
  #began = Number.NaN;
  /** How many bytes the file had when this process created it; 0 if another process did. */
  #beginBytes = 0;

  constructor(options: LedgerFileOptions) {
    this.#options = options;
  }

  /** Everything before this offset is known; undefined before the first `ready`. */
  get knownUpTo(): FileOffset | undefined {
    return this.#known;
  }

  /** The epoch of each label at that offset. */
  get epochs(): Map<string, string> {
    return this.#epochs;
  }

  get sizeBytes(): number {
    return this.#file?.size ?? 0;
  }

  /** When its first record was written, in ms since 1970; `NaN` if that is unknown. */
  get began(): number {
    return this.#began;
  }

  /** Whether it holds only what each file begins with. Such a file is not rotated. */
  get isFresh(): boolean {
    return this.sizeBytes <= this.#beginBytes;
  }

  /** Starts at the offset that an earlier process has saved. Call before the first `ready`. */
  restore(offset: FileOffset, epochs: Iterable<readonly [label: string, epoch: string]>): void {
    this.#known = offset;
    this.#isFromBefore = true;
    this.#mayBeGone = true;
    this.#epochs = new Map(epochs);
  }

  /**
   * Opens the file if need be, and reads what is new in it. A file that was renamed, removed or emptied is
   * opened again by its path.
   *
   * @returns whether `knownUpTo` is now in another file. Save it before anything is written there.
   */
  async ready(): Promise<boolean> {
    const { path, notes } = this.#options;
    const before = this.#known?.file;
    if (this.#file !== undefined) {
      const state = await this.#file.check();
      if (state === 'unchanged') return false;
      if (state === 'emptied' || state === 'removed') {
        this.remarks.push(notes.damage(state, this.#file.size));
        this.#mayBeGone = true;
      }
      if (state !== 'grown') await this.close();
    }
    this.#file ??= await LogFile.open(path);
    try {
      await this.#readBack(this.#file);
    } catch (error) {
      await this.close();
      throw error;
    }
    return this.#known?.file !== before;
  }

  /** Appends all of the bytes, or none. Call `ready` before. */
  async append(bytes: Uint8Array, sync: boolean): Promise<void> {
    if (this.#file === undefined) throw new TypeError('the log file is not open');
    try {
      await this.#file.append(bytes, sync);
      this.#known = { file: await this.#file.fingerprint(), offset: this.#file.size };
    } catch (error) {
      // It is unknown what the file holds now. Opening it again finds out.
      await this.close();
      throw error;
    }
  }

  /**
   * Renames the file, and closes it. A crash leaves it complete under one of the two names, and the next
   * start finds both. Call `ready` before and after.
   */
  async moveTo(path: string): Promise<void> {
    if (this.#file === undefined) throw new TypeError('the log file is not open');
    await this.#file.sync();
    await rename(this.#options.path, path);
    await this.close();
    await syncFile(dirname(path));
  }

  /** The next `ready` opens the path again. Safe to call twice. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    // The write before has reported the same error.
    await file?.close().catch(() => undefined);
  }

  async #readBack(file: LogFile): Promise<void> {
    const { notes, inbox, timezone } = this.#options;
    const fingerprint = await file.fingerprint();
    let start = this.#known?.offset ?? 0;
    // A copy: if reading fails, the next try starts from the same epochs.
    const epochs = new Map(this.#epochs);
    if (this.#known?.file !== fingerprint || start > file.size) {
      if (this.#known !== undefined && this.#isFromBefore) await this.#readRenamed(this.#known, epochs);
      epochs.clear();
      start = 0;
    }
    await this.#read(file, start, epochs);
    // A new file gets a first line, which distinguishes it from the next file of its name.
    this.#beginBytes = 0;
    if (file.size === 0) {
      await this.#options.onNewFile();
      const before = this.#known?.file;
      const isGone = before !== undefined && this.#mayBeGone && (await this.#partsSince(before)).length === 0;
      await file.append(Buffer.from(notes.begin(before, inbox.positions, isGone)), true);
      this.#beginBytes = file.size;
    }
    // What was read may not be on disk yet, and will be acknowledged as if it were.
    else if (file.size > start) await file.sync();
    const first = parseHead(await file.firstLine());
    this.#began = first === undefined ? Number.NaN : recordInstant(first, timezone);
    this.#known = { file: await file.fingerprint(), offset: file.size };
    this.#epochs = epochs;
    this.#isFromBefore = false;
    this.#mayBeGone = false;
  }

  /** Files were renamed or copied while no writer ran: reads what they hold after the known offset. */
  async #readRenamed(known: FileOffset, epochs: Map<string, string>): Promise<void> {
    for (const part of await this.#partsSince(known.file)) {
      const isKnown = fingerprintOf(part.firstLine) === known.file;
      if (!isKnown) epochs.clear();
      const start = isKnown ? known.offset : 0;
      if (part.isCompressed) {
        // A file that cannot be unpacked must not prevent writing.
        await this.#readChunks(readChunks(part.path, { from: start }), start, epochs).catch(() => undefined);
        continue;
      }
      const file = await LogFile.open(part.path);
      try {
        await this.#read(file, start, epochs);
      } finally {
        await file.close();
      }
    }
  }

  /** The rotated files from the one with this fingerprint on, or from its successor on. */
  async #partsSince(fingerprint: string): Promise<LogPart[]> {
    const { path, timezone } = this.#options;
    const rotated = (await findLogParts(path, timezone)).filter((part) => part.path !== path);
    const from = rotated.findIndex(
      (part) => fingerprintOf(part.firstLine) === fingerprint || predecessorOf(part) === fingerprint,
    );
    return from < 0 ? [] : rotated.slice(from);
  }

  /** Reads a file from `start` on, and repairs its end. */
  async #read(file: LogFile, start: number, epochs: Map<string, string>): Promise<void> {
    const unfinished = await this.#readChunks(file.read(start), start, epochs);
    if (unfinished === undefined) return;
    if (unfinished.isRecord) {
      const excess = file.size - unfinished.at;
      await file.truncate(unfinished.at);
      this.remarks.push(this.#options.notes.repair(excess));
    } else {
      // Text of another program stays; only its missing newline is added.
      await file.append(Buffer.from('\n'), false);
    }
  }

  async #readChunks(
    chunks: AsyncIterable<Chunk>,
    start: number,
    epochs: Map<string, string>,
  ): Promise<Unfinished | undefined> {
    const { timezone, clock, inbox } = this.#options;
    const onFound: OnFound = (sender, epoch, last) => inbox.stateOf(sender, epoch, clock.now()).found(last);
    return await readLedger(chunks, { timezone, start, epochs }, onFound);
  }
}

/** Waits until the disk has a file or, for a directory, the names in it. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
