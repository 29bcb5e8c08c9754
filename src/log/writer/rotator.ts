// Rotates the log, compresses rotated files, and removes those that are too many or too old.

import { createReadStream } from 'node:fs';
import { open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Clock } from '../../base/clock.js';
import type { RotationPolicy } from '../../site/log-settings.js';
import { type LedgerFile, syncFile } from './ledger-file.js';
import { isRotationDue } from './rotation.js';

export interface RotatorOptions {
  /** The log file. */
  readonly path: string;
  readonly policy: RotationPolicy;
  readonly clock: Clock;
  readonly timezone: string;
  /**
   * Called when a file cannot be rotated, compressed or removed, at most once a minute. The log continues.
   */
  readonly onTrouble: (error: unknown) => void;
}

/** Pause after a failed rotation, and between two reports. */
const retryMs = 60_000;
/** Time between two checks of the age of rotated files. */
const tidyEveryMs = 3_600_000;
const dayMs = 86_400_000;

/** Keeps a log within its policy. None of its methods rejects. */
export class Rotator {
  readonly #options: RotatorOptions;
  readonly #stop = new AbortController();
  #tidying: Promise<void> = Promise.resolve();
  #cancelTidy: (() => void) | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(options: RotatorOptions) {
    this.#options = options;
  }

  /** Renames the file if it is time. @returns whether it did */
  async rotate(file: LedgerFile): Promise<boolean> {
    const { path, policy, clock, timezone } = this.#options;
    const now = clock.now();
    if (isWithin(retryMs, this.#failedAt, now) || file.isFresh) return false;
    if (!isRotationDue(policy, file, now, timezone)) return false;
    try {
      await file.moveTo(await rotatedPath(path, now));
      return true;
    } catch (error) {
      this.#failedAt = now;
      this.#report(error);
      return false;
    }
  }

  /** Compresses and removes rotated files in the background, now and then every hour. */
  tidyLater(): void {
    if (this.#stop.signal.aborted) return;
    this.#tidying = this.#tidying.then(() => this.#tidy());
    this.#cancelTidy?.();
    this.#cancelTidy = this.#options.clock.after(tidyEveryMs, () => this.tidyLater());
  }

  /** Resolves when the work in the background is done. */
  settled(): Promise<void> {
    return this.#tidying;
  }

  /** Interrupts the work in the background. The next rotator repeats it. Safe to call twice. */
  async stop(): Promise<void> {
    this.#cancelTidy?.();
    this.#stop.abort();
    await this.#tidying;
  }

  async #tidy(): Promise<void> {
    const { path, policy, clock } = this.#options;
    const { signal } = this.#stop;
    try {
      const files = await rotatedFiles(path);
      for (const [index, file] of files.entries()) {
        if (signal.aborted) return;
        const isTooMany = policy.keepFiles > 0 && files.length - index > policy.keepFiles;
        const isTooOld = policy.keepDays > 0 && clock.now() - file.at > policy.keepDays * dayMs;
        if (isTooMany || isTooOld)
          for (const suffix of ['', '.gz', '.gz.tmp']) await rm(file.path + suffix, { force: true });
        else if (policy.compress && !file.isCompressed) await compress(file.path, signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#report(error);
    }
  }

  /** Limits the reports: while the log grows fast, files are compressed many times a second. */
  #report(error: unknown): void {
    const now = this.#options.clock.now();
    if (isWithin(retryMs, this.#reportedAt, now)) return;
    this.#reportedAt = now;
    this.#options.onTrouble(error);
  }
}

/** Whether less than `ms` have passed since `since`; false after the clock was set back. */
function isWithin(ms: number, since: number, now: number): boolean {
  return now >= since && now - since < ms;
}

/**
 * `lino.log-20261124T180001.123Z`, in UTC so that names sort by time; `-1` and so on if that name is taken.
 */
const stamp = /^-(\d{8}T\d{6}\.\d{3}Z)(?:-(\d+))?$/;

/** A file that linod rotated. Files that other programs rotated are left to them. */
interface RotatedFile {
  /** Without `.gz`. */
  readonly path: string;
  /** When it was rotated, in ms since 1970; never before a file that was rotated earlier. */
  readonly at: number;
  /** Distinguishes files of the same moment: 0, 1 and so on. */
  readonly again: number;
  /** Whether only its compressed form exists. */
  readonly isCompressed: boolean;
}

/** The rotated files of the log at a path, the oldest first. */
async function rotatedFiles(path: string): Promise<RotatedFile[]> {
  const entries = await readdir(dirname(path), { withFileTypes: true });
  const names = new Set(entries.filter((entry) => entry.isFile()).map(({ name }) => name));
  const plain = new Set([...names].map((name) => name.replace(/\.gz$/, '')));
  const found = [...plain].flatMap((name) => {
    const rest = name.startsWith(basename(path)) ? stamp.exec(name.slice(basename(path).length)) : null;
    if (rest === null) return [];
    const [, at = '', again = '0'] = rest;
    const isCompressed = !names.has(name);
    return [{ path: join(dirname(path), name), at: instantOf(at), again: Number(again), isCompressed }];
  });
  return found.sort((a, b) => a.at - b.at || a.again - b.again);
}

/**
 * The path for a file that is rotated now: a free one that sorts after those of all rotated files, even after
 * the clock was set back.
 */
async function rotatedPath(path: string, now: number): Promise<string> {
  const last = (await rotatedFiles(path)).at(-1);
  const isLater = last === undefined || now > last.at;
  const at = new Date(isLater ? now : last.at).toISOString().replace(/[-:]/g, '');
  return isLater ? `${path}-${at}` : `${path}-${at}-${last.again + 1}`;
}

/**
 * Runs in Node's thread pool, so that the writer does not wait. May be interrupted and called again: the file
 * is removed only after its compressed form is complete and on disk.
 */
async function compress(path: string, signal: AbortSignal): Promise<void> {
  const temporary = `${path}.gz.tmp`;
  const { mode, atime, mtime } = await stat(path);
  // Opened before: a stream that is aborted while it opens would still create its file later.
  const output = await open(temporary, 'w', mode);
  await pipeline(createReadStream(path), createGzip(), output.createWriteStream(), { signal });
  await utimes(temporary, atime, mtime);
  await syncFile(temporary);
  await rename(temporary, `${path}.gz`);
  await syncFile(dirname(path));
  await rm(path);
}

/** Reads `20261124T180001.123Z`. */
function instantOf(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)/, '$1-$2-$3T$4:$5:'));
}
