// Rotates the log when it is time; compresses rotated files, and removes them when they are too many or too old.

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
  /** Told when a file cannot be rotated, compressed or removed, at most once a minute. The log goes on. */
  readonly onTrouble: (error: unknown) => void;
}

/** After a failure, nothing is renamed for so long, and no further one is told. */
const retryMs = 60_000;
/** Age is looked at so often, also when nothing is rotated. */
const tidyEveryMs = 3_600_000;
const dayMs = 86_400_000;

/** Keeps a log within its policy. None of its methods rejects. */
export class Rotator {
  readonly #options: RotatorOptions;
  readonly #stop = new AbortController();
  #tidying: Promise<void> = Promise.resolve();
  #cancelTidy: (() => void) | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: RotatorOptions) {
    this.#options = options;
  }

  /** Gives the file another name if it is time; tells whether it did. */
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
      this.#tell(error);
      return false;
    }
  }

  /** Compresses and removes rotated files in the background, from now on also every hour. */
  tidyLater(): void {
    if (this.#stop.signal.aborted) return;
    this.#tidying = this.#tidying.then(() => this.#tidy());
    this.#cancelTidy?.();
    this.#cancelTidy = this.#options.clock.after(tidyEveryMs, () => this.tidyLater());
  }

  /** Resolves when what is to be done in the background is done. */
  settled(): Promise<void> {
    return this.#tidying;
  }

  /** Interrupts what is done in the background; the next rotator begins it anew. Safe to call twice. */
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
      if (!signal.aborted) this.#tell(error);
    }
  }

  /** While the log grows fast, there is a file to be compressed many times a second. */
  #tell(error: unknown): void {
    const now = this.#options.clock.now();
    if (isWithin(retryMs, this.#toldAt, now)) return;
    this.#toldAt = now;
    this.#options.onTrouble(error);
  }
}

/** Whether less than so many ms have passed; not after the clock was set back. */
function isWithin(ms: number, since: number, now: number): boolean {
  return now >= since && now - since < ms;
}

/** `lino.log-20261124T180001.123Z`, in UTC so that names sort by time; `-1` and so on if that name is taken. */
const stamp = /^-(\d{8}T\d{6}\.\d{3}Z)(?:-(\d+))?$/;

/** A rotated file of linod's own making; what others rotated is left to them. */
interface RotatedFile {
  /** Without `.gz`. */
  readonly path: string;
  /** When it was rotated, in ms; not before any file that was rotated earlier. */
  readonly at: number;
  /** Tells files of the same moment apart: 0, 1 and so on. */
  readonly again: number;
  /** Whether there is only its compressed form. */
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
 * The path that a log file gets when it is rotated: none that is taken, and one that sorts behind those of all rotated files
 * there are, also after the clock was set back.
 */
async function rotatedPath(path: string, now: number): Promise<string> {
  const last = (await rotatedFiles(path)).at(-1);
  const isLater = last === undefined || now > last.at;
  const at = new Date(isLater ? now : last.at).toISOString().replace(/[-:]/g, '');
  return isLater ? `${path}-${at}` : `${path}-${at}-${last.again + 1}`;
}

/**
 * Runs in the thread pool of Node, chunk by chunk, so that the writer is not kept waiting. May be interrupted at any point
 * and called again; the file is removed only after its compressed form is complete and on disk.
 */
async function compress(path: string, signal: AbortSignal): Promise<void> {
  const temporary = `${path}.gz.tmp`;
  const { mode, atime, mtime } = await stat(path);
  // Opened before: a stream that is given up while it opens makes its file all the same, some time later.
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
