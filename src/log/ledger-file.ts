// The log file together with what it says: opened, read back, repaired, and followed when it is renamed.

import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Ledger, type LedgerReader } from './ledger.js';
import { LogFile } from './log-file.js';

/** A place in a log file: `offset` bytes into the one with this fingerprint. */
export interface Place {
  readonly file: string;
  readonly offset: number;
}

export interface LedgerFileOptions {
  readonly path: string;
  /** Told what stands in the file that was not known. */
  readonly reader: LedgerReader;
  /** The first line of a new file; no two may be the same. */
  readonly begin: () => string;
  /** Told how many bytes of an unfinished record were removed from the end. */
  readonly onRepair: (bytes: number) => void;
}

/** Keeps one log file open, and what is known of it complete. */
export class LedgerFile {
  readonly #options: LedgerFileOptions;
  /** The epoch of each label's lines at the end of the file. */
  readonly epochs = new Map<string, string>();
  #file: LogFile | undefined;
  /** Everything before this place is known. */
  #known: Place | undefined;
  /** The known place was saved by another process, so a file that has been renamed since may hold more. */
  #isFromBefore = false;

  constructor(options: LedgerFileOptions) {
    this.#options = options;
  }

  /** The place up to which everything is known; undefined before the first `ready`. */
  get place(): Place | undefined {
    return this.#known;
  }

  /** Begins where an earlier process has saved its place. */
  restore(place: Place, epochs: Iterable<readonly [label: string, epoch: string]>): void {
    this.#known = place;
    this.#isFromBefore = true;
    for (const [label, epoch] of epochs) this.epochs.set(label, epoch);
  }

  /**
   * Sees to it that the file of that name is open and that all of it is known. When it was renamed, removed or
   * emptied, the path is opened anew; when someone else has appended, that is read.
   *
   * @returns whether the place is now one in another file, which should be saved before anything is written there
   */
  async ready(): Promise<boolean> {
    const before = this.#known?.file;
    if (this.#file !== undefined) {
      const state = await this.#file.look();
      if (state === 'unchanged') return false;
      if (state === 'replaced') await this.close();
    }
    this.#file ??= await LogFile.open(this.#options.path);
    try {
      await this.#readBack(this.#file);
    } catch (error) {
      await this.close();
      throw error;
    }
    return this.#known?.file !== before;
  }

  /** All of the buffers, or none. Call `ready` before. */
  async append(buffers: readonly Uint8Array[], sync: boolean): Promise<void> {
    if (this.#file === undefined) throw new TypeError('the log file is not open');
    try {
      await this.#file.append(buffers, sync);
      this.#known = { file: await this.#file.fingerprint(), offset: this.#file.size };
    } catch (error) {
      // Nobody knows what is in the file now: opening it anew finds out.
      await this.close();
      throw error;
    }
  }

  /** The next `ready` opens the path anew. Safe to call twice. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    // What closing reports was reported by the write before it.
    await file?.close().catch(() => undefined);
  }

  async #readBack(file: LogFile): Promise<void> {
    const fingerprint = await file.fingerprint();
    let start = this.#known?.offset ?? 0;
    if (this.#known?.file !== fingerprint || start > file.size) {
      if (this.#known !== undefined && this.#isFromBefore) await this.#readRenamed(this.#known);
      this.epochs.clear();
      start = 0;
    }
    const ledger = await this.#read(file, start);
    await this.#repair(file, ledger);
    // Without a line, nothing would tell this file from the next of its name.
    if (file.size === 0) await file.append([Buffer.from(this.#options.begin())], true);
    // What was read may be in the system's memory only, and will be acknowledged as if it were on disk.
    else if (file.size > start) await file.sync();
    this.#known = { file: await file.fingerprint(), offset: file.size };
    this.#isFromBefore = false;
  }

  /** The file was renamed while no writer ran: what stands in it behind the known place counts all the same. */
  async #readRenamed(known: Place): Promise<void> {
    const { path } = this.#options;
    const names = await readdir(dirname(path));
    for (const name of names.filter((name) => name.startsWith(basename(path)) && name !== basename(path))) {
      const file = await LogFile.openExisting(join(dirname(path), name));
      try {
        if ((await file.fingerprint()) === known.file) {
          await this.#repair(file, await this.#read(file, known.offset));
          return;
        }
      } finally {
        await file.close();
      }
    }
  }

  async #read(file: LogFile, start: number): Promise<Ledger> {
    const ledger = new Ledger(this.#options.reader, this.epochs, start);
    for await (const chunk of file.read(start)) ledger.feed(chunk);
    return ledger;
  }

  async #repair(file: LogFile, ledger: Ledger): Promise<void> {
    const excess = file.size - ledger.end;
    if (excess <= 0) return;
    if (ledger.endsInRecord) {
      await file.truncate(ledger.end);
      this.#options.onRepair(excess);
    } else {
      // Someone else's text that lacks its newline is none of ours to remove.
      await file.append([Buffer.from('\n')], false);
    }
  }
}
