// Brings the records of ended processes into the log: their spool files have no sender any more.

import { statSync } from 'node:fs';
import { readdir, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { untilBeat } from '../../channels/beat.js';
import type { Clock } from '../clock.js';
import { ownerState, ownProcess } from '../owner.js';
import type { Reply } from './inbox.js';
import type { LogRecords } from './messages.js';
import { BadSpoolError, readSpoolHeader, readSpoolRuns, type SpoolHeader } from './spool-file.js';

export interface SpoolAdopterOptions {
  /** The spool directories of the site on this machine. One that does not exist is an empty one. */
  readonly directories: readonly string[];
  readonly clock: Clock;
  /** Where the records go: the writer's `accept`. */
  readonly accept: (batch: LogRecords, reply: Reply) => void;
  /** Which senders' files are looked at; all when left out. */
  readonly isWanted?: ((header: SpoolHeader) => boolean) | undefined;
  /** Whether files of processes that cannot be seen from here are read after a while; default true. */
  readonly readsElsewhere?: boolean | undefined;
  /** Told of each file that was brought in. */
  readonly onAdopted?: ((adopted: { sender: string; records: number }) => void) | undefined;
  /** Told once of each file that cannot be read; it is left where it is. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
}

/** Messages of an ended sender may still lie in the channel: they come first. */
const firstScanMs = 1000;
/** A file is given up until the next scan when the writer does not take it. */
const answerMs = 10_000;
const batchesUnderWay = 16;
/** The clock of a file system goes by steps, and may differ from this machine's. */
const freshMs = 60_000;
/** A file of a process that cannot be seen from here is read when nothing was added for so long … */
const quietMs = 60_000;
/** … and removed after so long. */
const abandonedMs = 86_400_000;

/**
 * Looks for spool files now and then. A file whose process is dead is claimed by renaming it, handed to the writer
 * batch by batch, and removed when all of it is acknowledged. Records that are in the log already are cut by the
 * writer, so a file may be adopted twice without harm.
 *
 * Processes of other machines and containers cannot be seen. Their files are only read, and stay for a day.
 */
export class SpoolAdopter {
  readonly #options: SpoolAdopterOptions;
  readonly #bad = new Set<string>();
  readonly #told = new Set<string>();
  /** Sizes of files that were read but may not be removed. */
  readonly #read = new Map<string, number>();
  /** What tells the directories from what they were before a change, since there was no file in them. */
  #emptyAs: string | undefined;
  #scanning: Promise<void> | undefined;
  #cancel: (() => void) | undefined;
  #isStopped = false;

  constructor(options: SpoolAdopterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#cancel = this.#options.clock.after(firstScanMs, () => void this.#scanAgain());
  }

  /** Waits for the file in hand. What is claimed will be found by the next adopter. Safe to call twice. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    await this.#scanning;
  }

  /** Looks once. Never rejects. */
  scan(): Promise<void> {
    this.#scanning ??= this.#scan().finally(() => {
      this.#scanning = undefined;
    });
    return this.#scanning;
  }

  /** Whether records of a sender lie in a file here. */
  async isSpooled(_sender: string, epoch: string): Promise<boolean> {
    const paths = await this.#list();
    return paths.some((path) => path.includes(`.${epoch}.`));
  }

  async #scanAgain(): Promise<void> {
    await this.scan();
    if (!this.#isStopped) this.#scanLater();
  }

  #scanLater(): void {
    const { clock } = this.#options;
    this.#cancel = clock.after(untilBeat(clock.now()), () => void this.#scanAgain());
  }

  async #scan(): Promise<void> {
    const states = this.#options.directories.map(stateOf);
    const state = states.includes(undefined) ? undefined : states.join('|');
    if (state !== undefined && state === this.#emptyAs) return;
    // What comes before is not in the log: the writer would take it for lost if the next file of that sender came first.
    const unfinished = new Set<string>();
    const paths = await this.#list();
    this.#emptyAs = paths.length === 0 ? state : undefined;
    for (const path of paths) {
      if (this.#isStopped) return;
      const sender = senderPart(path);
      if (this.#bad.has(path) || unfinished.has(sender)) continue;
      try {
        if (!(await this.#look(path))) unfinished.add(sender);
      } catch (error) {
        this.#note(path, error);
        if (!(error instanceof BadSpoolError)) unfinished.add(sender);
      }
    }
  }

  /** All spool files, those of one sender in the order in which they were made. */
  async #list(): Promise<string[]> {
    const paths: string[] = [];
    for (const directory of this.#options.directories) {
      const names = await readdir(directory).catch(() => []);
      const spools = names.filter((name) => /\.spool(\.claimed-[\w-]+)?$/.test(name));
      spools.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
      paths.push(...spools.map((name) => join(directory, name)));
    }
    return paths;
  }

  /** Whether all of a file is in the log. */
  async #look(path: string): Promise<boolean> {
    const header = await readSpoolHeader(path);
    const { isWanted, readsElsewhere = true } = this.#options;
    if (isWanted?.(header) === false) return false;
    const state = ownerState(header.owner);
    if (state === 'dead') {
      const claimed = await claim(path);
      if (!(await this.#bringIn(claimed, header))) return false;
      await unlink(claimed);
      return true;
    }
    return state === 'elsewhere' && readsElsewhere && (await this.#lookElsewhere(path, header));
  }

  async #lookElsewhere(path: string, header: SpoolHeader & { sizeBytes: number }): Promise<boolean> {
    const { mtimeMs, size } = await stat(path);
    const quiet = Date.now() - mtimeMs;
    if (quiet < quietMs) return false;
    if (this.#read.get(path) !== size && (await this.#bringIn(path, header))) this.#read.set(path, size);
    const isIn = this.#read.get(path) === size;
    if (quiet > abandonedMs && isIn) {
      await unlink(path);
      this.#read.delete(path);
    }
    return isIn;
  }

  /** Whether all of a file is in the log. */
  async #bringIn(path: string, header: SpoolHeader & { sizeBytes: number }): Promise<boolean> {
    const progress = new Progress(this.#options.clock);
    let last = 0;
    // All of the file is still here: of a batch that the writer had no room for, the next one must not say that it is lost.
    let base: number | undefined;
    let records = 0;
    let batches = 0;
    for await (const { first, count, bytes } of readSpoolRuns(path, header.sender, header.sizeBytes)) {
      const { sender, epoch, owner, acked } = header;
      base ??= first;
      const batch = { sender, epoch, owner, acked, first, count, base, bytes, reply_channel: '' };
      this.#options.accept({ type: 'log.records', ...batch }, progress.reply);
      last = first + count - 1;
      records += count;
      if (++batches % batchesUnderWay === 0 && !(await progress.reaches(last, answerMs))) return false;
    }
    if (!(await progress.reaches(last, answerMs))) return false;
    this.#options.onAdopted?.({ sender: header.sender, records });
    return true;
  }

  #note(path: string, error: unknown): void {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (isGone) return;
    if (error instanceof BadSpoolError) this.#bad.add(path);
    if (this.#told.has(path)) return;
    this.#told.add(path);
    this.#options.onTrouble?.(error);
  }
}

/**
 * Tells a directory from another one of the same name, and from itself before a file was made or removed in it; one that does not exist
 * is told as well. Undefined when that cannot be said, or the change was so lately that another one might show the same time.
 */
function stateOf(directory: string): string | undefined {
  try {
    const info = statSync(directory, { throwIfNoEntry: false });
    if (info === undefined) return 'none';
    const { dev, ino, mtimeMs } = info;
    return Math.abs(Date.now() - mtimeMs) < freshMs ? undefined : `${dev}:${ino} ${mtimeMs}`;
  } catch {
    return undefined;
  }
}

/** What the files of one sender have in common: directory, label and epoch. */
function senderPart(path: string): string {
  return path.replace(/(?:\.\d+)?\.spool(?:\.claimed-[\w-]+)?$/, '');
}

/** Renames the file, so that of two adopters one gets it; the other's attempt fails with ENOENT. */
async function claim(path: string): Promise<string> {
  const { pid, start } = ownProcess();
  const claimed = `${path.replace(/\.claimed-[\w-]+$/, '')}.claimed-${pid}-${start}`;
  if (claimed !== path) await rename(path, claimed);
  return claimed;
}

/** What the writer has acknowledged of a file. */
class Progress {
  readonly #clock: Clock;
  #acked = 0;
  #check: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly reply: Reply = (answer) => {
    if (answer.type !== 'log.ack') return;
    this.#acked = Math.max(this.#acked, answer.last);
    this.#check();
  };

  /** Whether everything up to a number is acknowledged, at the latest after a time. */
  async reaches(last: number, timeoutMs: number): Promise<boolean> {
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(timeoutMs, resolve);
      this.#check = () => {
        if (this.#acked < last) return;
        cancel();
        resolve();
      };
      this.#check();
    });
    return this.#acked >= last;
  }
}
