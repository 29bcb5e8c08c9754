// Where the levels that were set at run time are written down: a file for each logger's name, in `log/levels`.
//
// Files, since every process of the site on this machine can read and watch them, whatever its channel layer, also one
// that is idle, and one that starts later. One for each name, so that two who set levels at the same time need no lock.

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkLoggerName, formatOverride, type LevelOverride, levelAt, parseOverride } from './override.js';

/** What is said about so many names is enough for any site. */
export const maxOverrides = 500;
/** What does not hold any more is kept for so long: other machines may be away. */
const keepMs = 7 * 86_400_000;

const suffix = '.json';
let writes = 0;

/** The directory of run-time levels of a site. */
export class OverridesDirectory {
  readonly path: string;

  /** @param logDirectory the site's */
  constructor(logDirectory: string) {
    this.path = join(logDirectory, 'levels');
  }

  /** Makes it, if it is not there. @throws what mkdir throws */
  make(): void {
    mkdirSync(this.path, { recursive: true });
  }

  /**
   * What stands there, also what does not hold any more.
   *
   * @param onBad told of each file that makes no sense; it is passed over
   * @throws what readdir throws, save that a directory that is not there is an empty one
   */
  read(onBad: (path: string) => void = () => {}): LevelOverride[] {
    const found: LevelOverride[] = [];
    for (const file of this.#files().slice(0, maxOverrides)) {
      const path = join(this.path, file);
      const text = readIfThere(path);
      if (text === undefined) continue;
      const override = parseOverride(file.slice(0, -suffix.length), text);
      if (override === undefined) onBad(path);
      else found.push(override);
    }
    return found;
  }

  /**
   * Writes one down, atomically, unless a later one for the same name is there.
   *
   * @returns whether it was written
   * @throws LoggerNameError (`LINOD_ERR_LOGGER_NAME`), and what the file system throws
   */
  write(override: LevelOverride): boolean {
    const path = join(this.path, `${checkLoggerName(override.name)}${suffix}`);
    const text = readIfThere(path);
    const there = text === undefined ? undefined : parseOverride(override.name, text);
    if (there !== undefined && there.at >= override.at) return false;
    this.make();
    const draft = join(this.path, `.${process.pid}-${++writes}.draft`);
    writeFileSync(draft, formatOverride(override));
    renameSync(draft, path);
    return true;
  }

  /** Removes what has not held for a week, and what commands that died have left. Never throws. */
  sweep(now: number): void {
    for (const override of this.read()) {
      const { name, until, at } = override;
      const isOver = levelAt(override, now) === undefined && Math.max(until ?? 0, at) < now - keepMs;
      if (isOver) rmSync(join(this.path, `${name}${suffix}`), { force: true });
    }
    for (const file of readdirSync(this.path).filter((name) => /^\.(receipts-|\d+-\d+\.draft)/.test(name))) {
      const path = join(this.path, file);
      const info = statSync(path, { throwIfNoEntry: false });
      if (info !== undefined && now - info.mtimeMs > 60_000) rmSync(path, { recursive: true, force: true });
    }
  }

  #files(): string[] {
    try {
      return readdirSync(this.path).filter((name) => name.endsWith(suffix) && !name.startsWith('.'));
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
