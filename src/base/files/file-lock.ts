// A lock that the operating system holds for a process, and frees when the process ends.

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
import { type Owner, ownProcess } from '../process-owner.js';
import { NotRegularFileError, openRegular, readRegular, replaceFlags } from './regular-file.js';

/** The process that has a lock, or had it last. */
export interface LockOwner extends Owner {
  /** A worker's id. */
  readonly name: string;
}

const ownerSchema = v.object({ name: v.string(), host: v.string(), pid: v.number(), start: v.string() });

/** A lock file cannot be created, opened or locked. A lock that another process has is no error. */
export class FileLockError extends LinodError {
  constructor(path: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super('LINOD_ERR_FILE_LOCK', `${path} cannot be locked: ${reason}`, { cause });
  }
}

/**
 * A lock for one process at a time. Any end of the process, `kill -9` included, frees it at once. It does not
 * expire: a suspended process keeps it and is still alone when it resumes.
 *
 * Node has no call for locking a file. An exclusive SQLite transaction is a kernel lock (fcntl) on its
 * database file, here an empty one. The packages for locks need a compiler (fs-ext), or judge by the file's
 * age (proper-lockfile), which fails for suspended processes.
 *
 * The kernel drops such a lock when the process closes *any* descriptor of the file. So nothing else in the
 * process may open it, and its name must not match a pattern that others open, such as `lino.log.1`.
 *
 * Source: SQLite, "File Locking And Concurrency In SQLite Version 3"; fcntl(2), "Advisory record locking".
 */
export class FileLock {
  readonly path: string;
  readonly #self: LockOwner;
  #database: Sqlite.Database | undefined;
  #identity = '';

  /** @param path the lock file; `PATH.owner` beside it names the process that took it last */
  constructor(path: string, name: string) {
    this.path = path;
    this.#self = { name, ...ownProcess() };
  }

  /** Whether this process has the lock, and the path still names the locked file. Cheap. */
  get held(): boolean {
    return this.#database !== undefined && this.#identity === identityOf(this.path);
  }

  /**
   * Takes the lock if it is free. Does nothing when this process has it already. Synchronous and quick.
   *
   * @returns whether this process has the lock now
   * @throws FileLockError (`LINOD_ERR_FILE_LOCK`) when the file cannot be created or locked
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

  /** Writes down which process has the lock. Without that, others only notice its end later. */
  recordOwner(): void {
    try {
      const fd = openRegular(this.#ownerPath, replaceFlags);
      try {
        writeFileSync(fd, `${JSON.stringify(this.#self)}\n`);
      } finally {
        closeSync(fd);
      }
    } catch {
      // The disk may be full. A truncated file reads as no owner.
    }
  }

  /** The last process that signed; undefined when there is none, or the file cannot be read. */
  lastOwner(): LockOwner | undefined {
    try {
      return v.parse(v.pipe(v.string(), v.parseJson(), ownerSchema), readRegular(this.#ownerPath));
    } catch {
      return undefined;
    }
  }

  /** Frees the lock. Safe to call twice. */
  release(): void {
    this.#database?.close();
    this.#database = undefined;
  }

  get #ownerPath(): string {
    return `${this.path}.owner`;
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
    // Somebody removed the file meanwhile, so other processes would lock a different one.
    if (identity === '' || identity !== before) {
      database.close();
      return false;
    }
    this.#database = database;
    this.#identity = identity;
    return true;
  }

  /**
   * Anyone who can read the file could block the next owner with a read lock. So only those who could remove
   * it may: its owner and, where the directory is group-writable, the group.
   */
  #makeFile(): void {
    const directory = statSync(dirname(this.path));
    const mode = (directory.mode & 0o020) === 0 ? 0o600 : 0o660;
    const found = lstatSync(this.path, { throwIfNoEntry: false });
    if (found === undefined) {
      closeSync(openRegular(this.path, constants.O_WRONLY | constants.O_CREAT, 0o600));
      // Otherwise a command run by root would lock the site's own processes out.
      if (process.geteuid?.() === 0) chownSync(this.path, directory.uid, directory.gid);
    } else if (!found.isFile()) throw new NotRegularFileError(this.path);
    const isOurs = found === undefined || found.uid === process.geteuid?.();
    if (isOurs && ((found?.mode ?? 0) & 0o777) !== mode) chmodSync(this.path, mode);
  }
}

/** Identifies a file among those that exist now; empty when there is none. */
function identityOf(path: string): string {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found === undefined ? '' : `${found.dev}:${found.ino}`;
}
