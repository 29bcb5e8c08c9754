// Makes a process the only writer of a lino.log, whatever the database says.

import { dirname, join } from 'node:path';
import { LinodError } from '../../base/errors.js';
import { FileLock } from '../../base/files/file-lock.js';
import { isSuspended, ownerState } from '../../base/process-owner.js';

/** The writer calls these. Both throw LogLockedError when another process has the log. */
export interface WriterFence {
  /** Before the file is read back: takes the lock, again if its file was removed. */
  ensure(): void;
  /** Before a write: throws if the lock was lost, since another process may have written then. */
  assertHeld(): void;
}

/** Another process writes the log. */
export class LogLockedError extends LinodError {
  constructor(holder: string) {
    super('LINOD_ERR_LOG_LOCKED', holder);
  }
}

/** The lock of a log: `writer.lock` beside `lino.log`. */
export class LogLock extends FileLock implements WriterFence {
  /** @param worker the id of the worker in this process */
  constructor(logFile: string, worker: string) {
    super(join(dirname(logFile), 'writer.lock'), worker);
  }

  ensure(): void {
    if (this.held) return;
    if (!this.take()) throw new LogLockedError(this.#holderText());
    this.recordOwner();
  }

  assertHeld(): void {
    if (!this.held) throw new LogLockedError(`the file of its lock was removed: ${this.path}`);
  }

  /** Which process has the lock, for people. */
  #holderText(): string {
    const holder = this.lastOwner();
    // The note of a dead process is old: the present owner has not written its own yet.
    if (holder === undefined || ownerState(holder) === 'dead') return 'another process holds its lock';
    const { name, pid } = holder;
    if (!isSuspended(holder)) return `worker ${name} holds its lock`;
    return `worker ${name} is suspended and holds its lock: continue it (kill -CONT ${pid}) or end it (kill -KILL ${pid})`;
  }
}
