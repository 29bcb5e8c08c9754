// A lock that the operating system holds for a process, and lets go in the moment in which the process ends.

import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import * as v from 'valibot';
import { LinodError } from '../errors.js';
import { type Owner, ownProcess } from '../owner.js';
import { NotRegularFileError, openRegular, readRegular, replaceFlags } from '../regular-file.js';

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
      const fd = openRegular(this.#holderPath, replaceFlags);
      try {
        writeFileSync(fd, `${JSON.stringify(this.#self)}\n`);
      } finally {
        closeSync(fd);
      }
    } catch {
      // A full disk. Half of a name is read as nobody.
    }
  }

  /** Who signed last; undefined when nobody has, or it cannot be read. */
  lastHolder(): LockHolder | undefined {
    try {
      return v.parse(v.pipe(v.string(), v.parseJson(), holderSchema), readRegular(this.#holderPath));
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
    this.#makeFile();
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

  /**
   * Who can read the file could hold the next holder off with a lock for readers. So only those may who could remove it: its
   * owner and, where the directory is the group's, the group.
   */
  #makeFile(): void {
    const directory = statSync(dirname(this.path));
    const mode = (directory.mode & 0o020) === 0 ? 0o600 : 0o660;
    const found = lstatSync(this.path, { throwIfNoEntry: false });
    if (found === undefined) {
      closeSync(openRegular(this.path, constants.O_WRONLY | constants.O_CREAT, 0o600));
      // Else a command of root's would keep the site's own processes from the lock.
      if (process.geteuid?.() === 0) chownSync(this.path, directory.uid, directory.gid);
    } else if (!found.isFile()) throw new NotRegularFileError(this.path);
    const isOurs = found === undefined || found.uid === process.geteuid?.();
    if (isOurs && ((found?.mode ?? 0) & 0o777) !== mode) chmodSync(this.path, mode);
  }
}

/** Tells a file from any other that there is now; empty when there is none. */
function identityOf(path: string): string {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found === undefined ? '' : `${found.dev}:${found.ino}`;
}
