// How a process that put something into the database wakes those that wait: it writes a byte into a small file beside
// it after its commit, and who waits watches that file. The `-wal` file would tell too early: a notice comes with the
// bytes, before they count.

import {
  closeSync,
  constants,
  type FSWatcher,
  fchownSync,
  openSync,
  statSync,
  watch,
  writeSync,
} from 'node:fs';
import { untilBeat } from '../../beat.js';

const oneByte = Uint8Array.of(10);

/** The file that is watched: beside the database, and good for nothing else. */
export function wakeFilePath(databasePath: string): string {
  return `${databasePath}-wake`;
}

/** The sender's end. */
export class WakeFile {
  readonly #descriptor: number;

  /**
   * Makes the file where it is missing, with the database's permissions; root makes it the database owner's, as SQLite
   * does with the `-wal`, so that the processes of the site can open it.
   *
   * @throws what `openSync` throws
   */
  constructor(databasePath: string) {
    const { mode, uid, gid } = statSync(databasePath);
    const flags = constants.O_RDWR | constants.O_CREAT;
    this.#descriptor = openSync(wakeFilePath(databasePath), flags, mode & 0o777);
    if (process.geteuid?.() === 0) fchownSync(this.#descriptor, uid, gid);
  }

  /** After a commit: wakes all who wait. */
  wake(): void {
    try {
      writeSync(this.#descriptor, oneByte, 0, 1, 0);
    } catch {
      // A full disk, perhaps. The message is stored, so its send must not fail; the receivers' polls will find it.
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** Instead of at each beat where the system cannot watch files. */
const pollUnwatchedEveryMs = 100;

/**
 * The receiver's end. While it is held (someone waits) it keeps the process alive and polls; released, it goes on
 * watching for one more poll, since mostly someone will wait again.
 */
export class WakeWatcher {
  readonly #path: string;
  readonly #onWake: () => void;
  readonly #onPoll: () => void;
  #watcher: FSWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;
  #isHeld = false;

  /**
   * @param onWake something was put by some process, this one included; only called while held
   * @param onPoll called every few seconds while held
   */
  constructor(databasePath: string, onWake: () => void, onPoll: () => void) {
    this.#path = wakeFilePath(databasePath);
    this.#onWake = onWake;
    this.#onPoll = onPoll;
  }

  /** Someone waits. */
  hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    if (this.#poll === undefined) this.#schedulePoll();
    else this.#poll.ref();
  }

  /** Nobody waits any more. */
  release(): void {
    this.#isHeld = false;
    this.#poll?.unref();
  }

  /** Begins to watch, if it does not. To be called while the database is open, as then the file is there. */
  start(): void {
    if (this.#watcher !== undefined) return;
    try {
      this.#watcher = watch(this.#path, { persistent: false }, () => {
        if (this.#isHeld) this.#onWake();
      });
      this.#watcher.on('error', () => this.stop());
    } catch {
      // No more watches allowed, or a system without them: the polls go quicker, and each tries again.
      this.stop();
    }
  }

  /** Ends the watch, as after the file was replaced; the polls go on. */
  stop(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** Ends the watch and the polls. */
  close(): void {
    this.stop();
    clearTimeout(this.#poll);
    this.#poll = undefined;
    this.#isHeld = false;
  }

  #schedulePoll(): void {
    // The net for notices that were lost, as when a sender was killed between commit and write.
    const delayMs = this.#watcher === undefined ? pollUnwatchedEveryMs : untilBeat(Date.now());
    this.#poll = setTimeout(() => {
      this.#poll = undefined;
      if (!this.#isHeld) {
        this.stop();
        return;
      }
      this.#onPoll();
      this.#schedulePoll();
    }, delayMs);
    if (!this.#isHeld) this.#poll.unref();
  }
}
