// A lock that the operating system holds for a process, and lets go in the moment in which the process ends.

import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import * as v from 'valibot';
import { LinodError } from '../errors.js';
import { type Owner, ownProcess } from '../owner.js';

/** Who has, or had, a lock. */
export interface LockHolder extends Owner {
  /** What it calls itself: a worker's id. */
  readonly name: string;
}

const holderSchema = v.object({ name: v.string(), host: v.string(), pid: v.number(), start: v.string() });

/** A lock's file cannot be made, opened or locked; that another process has it is none of these. */
export class FileLockError extends LinodError {
  constructor(path: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super('LINOD_ERR_FILE_LOCK', `${path} cannot be locked: ${reason}`, { cause });
  }
}

/**
 * One process at a time has it. It outlives nobody: whatever ends the process, `kill -9` included, frees the lock at once.
 * It does not expire either: a process that is suspended has it still, and finds nobody beside it when it goes on.
 *
 * Node has no call for locking a file. An exclusive transaction of SQLite is a lock of the kernel (fcntl) on the file
 * that the transaction is about, here an empty one. Packages that do the same by themselves have to be compiled
 * (fs-ext), or lock by the age of a file (proper-lockfile), which a suspended process outlives.
 *
 * The kernel's rule for such a lock: it is gone when the process closes *any* descriptor of the file. So nothing else
 * in the process may open it, and its name must not be one that others look into, as `lino.log.1`.
 *
 * Source: SQLite, "File Locking And Concurrency In SQLite Version 3"; fcntl(2), "Advisory record locking".
 */
export class FileLock {
  readonly path: string;
  readonly #self: LockHolder;
  #database: Sqlite.Database | undefined;
  #identity = '';

  /** @param path the lock's file; beside it stands `PATH.holder`, which says who took it last */
  constructor(path: string, name: string) {
    this.path = path;
    this.#self = { name, ...ownProcess() };
  }

  /** Whether this process has it, and the path still names the file that is locked. Costs some microseconds. */
  get held(): boolean {
    return this.#database !== undefined && this.#identity === identityOf(this.path);
  }

  /**
   * Takes it if it is free. Does nothing when it is held. Synchronous; some tenths of a millisecond.
   *
   * @returns whether this process has it now
   * @throws FileLockError (`LINOD_ERR_FILE_LOCK`) when there cannot be such a file
   */
  take(): boolean {
    if (this.held) return true;
    this.release();
    try {
      return this.#take();
    } catch (error) {
      throw new FileLockError(this.path, error);
    }
  }

  /** Says who it is that has it now. What cannot be written costs only that others know of its end at once. */
  sign(): void {
    try {
      writeFileSync(this.#holderPath, `${JSON.stringify(this.#self)}\n`);
    } catch {
      // A full disk. Half of a name is read as nobody.
    }
  }

  /** Who signed last; undefined when nobody has, or it cannot be read. */
  lastHolder(): LockHolder | undefined {
    try {
      return v.parse(v.pipe(v.string(), v.parseJson(), holderSchema), readFileSync(this.#holderPath, 'utf8'));
    } catch {
      return undefined;
    }
  }

  /** Lets it go. Safe to call twice. */
  release(): void {
    this.#database?.close();
    this.#database = undefined;
  }

  get #holderPath(): string {
    return `${this.path}.holder`;
  }

  #take(): boolean {
    mkdirSync(dirname(this.path), { recursive: true });
    if (identityOf(this.path) === '') closeSync(openSync(this.path, 'a'));
    const before = identityOf(this.path);
    const database = new Sqlite(this.path, { timeout: 0 });
    try {
      database.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if (error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY')) return false;
      throw error;
    }
    const identity = identityOf(this.path);
    // Somebody has removed the file meanwhile: what is locked is not what others will lock.
    if (identity === '' || identity !== before) {
      database.close();
      return false;
    }
    this.#database = database;
    this.#identity = identity;
    return true;
  }
}

/** Tells a file from any other that there is now; empty when there is none. */
function identityOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? '' : `${found.dev}:${found.ino}`;
}
