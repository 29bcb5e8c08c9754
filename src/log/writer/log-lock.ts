// What makes a process the only one that writes a lino.log, whatever the database says or cannot say.

import { dirname, join } from 'node:path';
import { LinodError } from '../../base/errors.js';
import { FileLock } from '../../base/file-lock.js';
import { isSuspended, ownerState } from '../../base/process-owner.js';

/** Asked by the writer. Both throw LogLockedError when another process has the log. */
export interface WriterFence {
  /** Before the file is read back: sees to it that this process has the lock, though its file was removed. */
  ensure(): void;
  /** Before a write: whoever had the lock since the file was read back may have written. */
  assertHeld(): void;
}

/** The log is another process's to write. */
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
    if (!this.take()) throw new LogLockedError(this.#tellHolder());
    this.recordOwner();
  }

  assertHeld(): void {
    if (!this.held) throw new LogLockedError(`the file of its lock was removed: ${this.path}`);
  }

  /** Who keeps this process from writing, in a clause for people. */
  #tellHolder(): string {
    const holder = this.lastOwner();
    // A note whose writer is gone is from before; who has the lock now has not said so yet.
    if (holder === undefined || ownerState(holder) === 'dead') return 'another process holds its lock';
    const { name, pid } = holder;
    if (!isSuspended(holder)) return `worker ${name} holds its lock`;
    return `worker ${name} is suspended and holds its lock: continue it (kill -CONT ${pid}) or end it (kill -KILL ${pid})`;
  }
}
