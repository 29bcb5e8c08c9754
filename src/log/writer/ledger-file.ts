// The log file together with what it says: opened, read back, repaired, and followed when it is renamed.

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

/** A place in a log file: `offset` bytes into the one with this fingerprint. */
export interface Place {
  readonly file: string;
  readonly offset: number;
}

export interface LedgerFileOptions {
  readonly path: string;
  /** The zone of times that have no offset. */
  readonly timezone: string;
  readonly clock: Clock;
  /** Says what a new file begins with, and what was found to be wrong with an old one. */
  readonly notes: Notes;
  /** Learns what stands in the file that was not known. */
  readonly inbox: Inbox;
  /** Called before a new file begins with what the inbox knows. */
  readonly onNewFile: () => Promise<void>;
}

/** Keeps one log file open, and what is known of it complete. */
export class LedgerFile {
  /** Notes about the file that are still to be written into it. */
  readonly remarks: string[] = [];
  readonly #options: LedgerFileOptions;
  #epochs = new Map<string, string>();
  #file: LogFile | undefined;
  /** Everything before this place is known. */
  #known: Place | undefined;
  /** The known place was saved by another process, so a file that has been renamed since may hold more. */
  #isFromBefore = false;
  /** The file of the known place may be nowhere any more. */
  #mayBeGone = false;
  #began = Number.NaN;
  /** How many bytes the file had when it was made; 0 for one that another process has made. */
  #beginBytes = 0;

  constructor(options: LedgerFileOptions) {
    this.#options = options;
  }

  /** The place up to which everything is known; undefined before the first `ready`. */
  get place(): Place | undefined {
    return this.#known;
  }

  /** The epoch of each label's lines at that place. */
  get epochs(): Map<string, string> {
    return this.#epochs;
  }

  get sizeBytes(): number {
    return this.#file?.size ?? 0;
  }

  /** When its first record was written, in ms; `NaN` when that cannot be told. */
  get began(): number {
    return this.#began;
  }

  /** Whether it holds nothing but what each file begins with: such a file is not rotated. */
  get isFresh(): boolean {
    return this.sizeBytes <= this.#beginBytes;
  }

  /** Begins where an earlier process has saved its place. */
  restore(place: Place, epochs: Iterable<readonly [label: string, epoch: string]>): void {
    this.#known = place;
    this.#isFromBefore = true;
    this.#mayBeGone = true;
    this.#epochs = new Map(epochs);
  }

  /**
   * Sees to it that the file of that name is open and that all of it is known. When it was renamed, removed or
   * emptied, the path is opened anew; when someone else has appended, that is read.
   *
   * @returns whether the place is now one in another file, which should be saved before anything is written there
   */
  async ready(): Promise<boolean> {
    const { path, notes } = this.#options;
    const before = this.#known?.file;
    if (this.#file !== undefined) {
      const state = await this.#file.look();
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

  /** All of the bytes, or none. Call `ready` before. */
  async append(bytes: Uint8Array, sync: boolean): Promise<void> {
    if (this.#file === undefined) throw new TypeError('the log file is not open');
    try {
      await this.#file.append(bytes, sync);
      this.#known = { file: await this.#file.fingerprint(), offset: this.#file.size };
    } catch (error) {
      // Nobody knows what is in the file now: opening it anew finds out.
      await this.close();
      throw error;
    }
  }

  /**
   * Gives the file another name, and closes it. What is in it is on disk before; a crash in between leaves it under one of
   * the two names, and the next start finds it under either. Call `ready` before and after.
   */
  async moveTo(path: string): Promise<void> {
    if (this.#file === undefined) throw new TypeError('the log file is not open');
    await this.#file.sync();
    await rename(this.#options.path, path);
    await this.close();
    await syncFile(dirname(path));
  }

  /** The next `ready` opens the path anew. Safe to call twice. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    // What closing reports was reported by the write before it.
    await file?.close().catch(() => undefined);
  }

  async #readBack(file: LogFile): Promise<void> {
    const { notes, inbox, timezone } = this.#options;
    const fingerprint = await file.fingerprint();
    let start = this.#known?.offset ?? 0;
    // Another map than that of the known place, which is saved and, if this fails, read from once more.
    const epochs = new Map(this.#epochs);
    if (this.#known?.file !== fingerprint || start > file.size) {
      if (this.#known !== undefined && this.#isFromBefore) await this.#readRenamed(this.#known, epochs);
      epochs.clear();
      start = 0;
    }
    await this.#read(file, start, epochs);
    // Without a line, nothing would tell this file from the next of its name.
    this.#beginBytes = 0;
    if (file.size === 0) {
      await this.#options.onNewFile();
      const before = this.#known?.file;
      const isGone = before !== undefined && this.#mayBeGone && (await this.#partsSince(before)).length === 0;
      await file.append(Buffer.from(notes.begin(before, inbox.positions, isGone)), true);
      this.#beginBytes = file.size;
    }
    // What was read may be in the system's memory only, and will be acknowledged as if it were on disk.
    else if (file.size > start) await file.sync();
    const first = parseHead(await file.firstLine());
    this.#began = first === undefined ? Number.NaN : recordInstant(first, timezone);
    this.#known = { file: await file.fingerprint(), offset: file.size };
    this.#epochs = epochs;
    this.#isFromBefore = false;
    this.#mayBeGone = false;
  }

  /** The file was renamed or copied while no writer ran, and perhaps those after it: what stands there behind the known place counts. */
  async #readRenamed(known: Place, epochs: Map<string, string>): Promise<void> {
    for (const part of await this.#partsSince(known.file)) {
      const isKnown = fingerprintOf(part.firstLine) === known.file;
      if (!isKnown) epochs.clear();
      const start = isKnown ? known.offset : 0;
      if (part.isCompressed) {
        // What cannot be unpacked keeps nobody from writing.
        await this.#take(readChunks(part.path, { from: start }), start, epochs).catch(() => undefined);
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

  /** The rotated files from the one with this fingerprint on, or from one that says that it follows it. */
  async #partsSince(fingerprint: string): Promise<LogPart[]> {
    const { path, timezone } = this.#options;
    const rotated = (await findLogParts(path, timezone)).filter((part) => part.path !== path);
    const from = rotated.findIndex(
      (part) => fingerprintOf(part.firstLine) === fingerprint || predecessorOf(part) === fingerprint,
    );
    return from < 0 ? [] : rotated.slice(from);
  }

  /** Takes what stands in a file from `start` on, and repairs its end. */
  async #read(file: LogFile, start: number, epochs: Map<string, string>): Promise<void> {
    const unfinished = await this.#take(file.read(start), start, epochs);
    if (unfinished === undefined) return;
    if (unfinished.isRecord) {
      const excess = file.size - unfinished.at;
      await file.truncate(unfinished.at);
      this.remarks.push(this.#options.notes.repair(excess));
    } else {
      // Someone else's text that lacks its newline is none of ours to remove.
      await file.append(Buffer.from('\n'), false);
    }
  }

  async #take(
    chunks: AsyncIterable<Chunk>,
    start: number,
    epochs: Map<string, string>,
  ): Promise<Unfinished | undefined> {
    const { timezone, clock, inbox } = this.#options;
    const onFound: OnFound = (sender, epoch, last) => inbox.standing(sender, epoch, clock.now()).found(last);
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
