// How a process that put something into the database wakes those that wait.
//
// Watching the `-wal` file itself would tell too early and too much: the notice comes with the bytes, but they count
// only some µs later when a shared memory page says so, and whoever looked in between sleeps on (measured: up to one
// notice in five, when the processors are busy). And every take is written there too. So the sender writes one
// byte, always the same, into a small file after its commit; who waits watches that.

import { closeSync, constants, type FSWatcher, openSync, statSync, watch, writeSync } from 'node:fs';

const oneByte = Uint8Array.of(10);

/** The file that is watched: beside the database, and good for nothing else. */
export function doorbellPath(databasePath: string): string {
  return `${databasePath}-wake`;
}

/** The sender's end. */
export class Doorbell {
  readonly #descriptor: number;

  /** Makes the file where it is missing, with the database's permissions. @throws what `openSync` throws */
  constructor(databasePath: string) {
    const flags = constants.O_RDWR | constants.O_CREAT;
    this.#descriptor = openSync(doorbellPath(databasePath), flags, statSync(databasePath).mode & 0o777);
  }

  /** Wakes all who watch. */
  ring(): void {
    try {
      writeSync(this.#descriptor, oneByte, 0, 1, 0);
    } catch {
      // A full disk, perhaps. The message is stored, so its send must not fail; the receivers' polls will find it.
      return;
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** The net for notices that were lost: a sender was killed between commit and ring. */
export const pollEveryMs = 3000;
/** Instead of it where the system cannot watch files. */
const pollUnwatchedEveryMs = 100;

/**
 * The receiver's end. While it is held (someone waits) it keeps the process alive and polls; released, it goes on
 * watching for one more poll, since mostly someone will wait again, and then costs nothing.
 */
export class DoorbellWatcher {
  readonly #path: string;
  readonly #onRing: () => void;
  readonly #onPoll: () => void;
  #watcher: FSWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;
  #held = false;

  /**
   * @param onRing something was put by some process, this one included; only called while held
   * @param onPoll called every few seconds while held
   */
  constructor(databasePath: string, onRing: () => void, onPoll: () => void) {
    this.#path = doorbellPath(databasePath);
    this.#onRing = onRing;
    this.#onPoll = onPoll;
  }

  /** Someone waits. */
  hold(): void {
    if (this.#held) return;
    this.#held = true;
    if (this.#poll === undefined) this.#schedulePoll();
    else this.#poll.ref();
  }

  /** Nobody waits any more. */
  release(): void {
    this.#held = false;
    this.#poll?.unref();
  }

  /** Begins to watch, if it does not. To be called while the database is open, as then the file is there. */
  start(): void {
    if (this.#watcher !== undefined) return;
    try {
      this.#watcher = watch(this.#path, { persistent: false }, () => {
        if (this.#held) this.#onRing();
      });
      this.#watcher.on('error', () => this.stop());
    } catch {
      // No more watches allowed, a system without them: the polls go quicker, and each tries again.
      this.#watcher = undefined;
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
    this.#held = false;
  }

  #schedulePoll(): void {
    const delayMs = this.#watcher === undefined ? pollUnwatchedEveryMs : pollEveryMs;
    this.#poll = setTimeout(() => {
      this.#poll = undefined;
      if (!this.#held) {
        this.stop();
        return;
      }
      this.#onPoll();
      this.#schedulePoll();
    }, delayMs);
    if (!this.#held) this.#poll.unref();
  }
}
