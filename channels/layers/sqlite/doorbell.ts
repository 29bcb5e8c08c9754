// How a process that put something into the database wakes those that wait.
//
// Watching the `-wal` file itself would tell too early and too much: the notice comes with the bytes, but they count
// only some µs later when a shared memory page says so, and whoever looked in between sleeps on (measured: up to one
// notice in five, when the processors are busy). And every take is written there too. So the sender writes one
// byte, always the same, into a small file after its commit; who waits watches that.
//
// There are several such files, and the key decides which: so a process is mostly woken only for what it waits for, and
// not by what it sends itself.

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

/** Those that a key may have, by number. */
export const bells: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7];

const oneByte = Uint8Array.of(10);

/** The file that is watched: beside the database, and good for nothing else. */
export function doorbellPath(databasePath: string, bell: number): string {
  return `${databasePath}-wake-${bell}`;
}

/** The number of the bell that is rung for a key; the same in all processes. */
export function bellOf(key: string): number {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return (hash ^ (hash >>> 15)) & (bells.length - 1);
}

/** How often one process has rung. */
export class Rings {
  readonly #counts = bells.map(() => 0);
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(bell: number): number {
    return this.#counts[bell] ?? 0;
  }

  note(bell: number): void {
    this.#counts[bell] = this.of(bell) + 1;
    this.#total++;
  }
}

/** Commits that follow so closely upon each other are a stream, if there are so many of them. */
const streamGapMs = 0.1;
const streamsFrom = 8;

/**
 * The sender's end. A ring costs a tenth of a send, and the one who is woken by it more; so in a stream of commits it
 * is rung ten times a millisecond, and when the event loop turns.
 */
export class Doorbells {
  readonly #descriptors: number[] = [];
  readonly #rings: Rings;
  /** Those that are still to be rung, a bit for each. */
  #due = 0;
  #rangAt = 0;
  #committedAt = 0;
  #streak = 0;
  #isScheduled = false;

  /**
   * Makes the files where they are missing, with the database's permissions; root makes them the database owner's, as
   * SQLite does with the `-wal`, so that the processes of the site can open them.
   *
   * @param rings is told of each ring
   * @throws what `openSync` throws
   */
  constructor(databasePath: string, rings: Rings) {
    this.#rings = rings;
    const flags = constants.O_RDWR | constants.O_CREAT;
    const { mode, uid, gid } = statSync(databasePath);
    const isRoot = process.geteuid?.() === 0;
    try {
      for (const bell of bells) {
        const descriptor = openSync(doorbellPath(databasePath, bell), flags, mode & 0o777);
        this.#descriptors.push(descriptor);
        if (isRoot) fchownSync(descriptor, uid, gid);
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** After a commit: wakes all who watch these bells, of which there is a bit for each. */
  ring(set: number): void {
    this.#due |= set;
    const now = performance.now();
    this.#streak = now - this.#committedAt < streamGapMs ? this.#streak + 1 : 0;
    this.#committedAt = now;
    if (this.#streak < streamsFrom || now - this.#rangAt >= streamGapMs) this.#ringDue(now);
    else this.#ringLater();
  }

  /** Rings what is still to be rung. Safe to call twice. */
  close(): void {
    this.#ringDue(0);
    for (const descriptor of this.#descriptors.splice(0)) closeSync(descriptor);
  }

  #ringDue(now: number): void {
    this.#rangAt = now;
    const set = this.#due;
    this.#due = 0;
    for (const bell of bells) if ((set & (1 << bell)) !== 0) this.#ring(bell);
  }

  #ring(bell: number): void {
    this.#rings.note(bell);
    try {
      writeSync(this.#descriptors[bell] ?? -1, oneByte, 0, 1, 0);
    } catch {
      // A full disk, perhaps. The message is stored, so its send must not fail; the receivers' polls will find it.
      return;
    }
  }

  #ringLater(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#ringDue(performance.now());
    });
  }
}

/** Instead of at each beat where the system cannot watch files. */
const pollUnwatchedEveryMs = 100;

/**
 * The receiver's end. While it is held (someone waits) it keeps the process alive and polls; released, it goes on
 * watching for one more poll, since mostly someone will wait again, and then costs nothing.
 */
export class DoorbellWatcher {
  readonly #path: string;
  readonly #onRing: (bell: number) => void;
  readonly #onPoll: () => void;
  readonly #watchers = new Map<number, FSWatcher>();
  /** Whether some bell could not be watched. */
  #isDeaf = false;
  #poll: NodeJS.Timeout | undefined;
  #held = false;

  /**
   * @param onRing something was put by some process, this one included, under a key of this bell; only called while held
   * @param onPoll called every few seconds while held
   */
  constructor(databasePath: string, onRing: (bell: number) => void, onPoll: () => void) {
    this.#path = databasePath;
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
  start(bell: number): void {
    if (this.#watchers.has(bell)) return;
    try {
      const watcher = watch(doorbellPath(this.#path, bell), { persistent: false }, () => {
        if (this.#held) this.#onRing(bell);
      });
      this.#watchers.set(bell, watcher);
      watcher.on('error', () => this.stop());
    } catch {
      // No more watches allowed, a system without them: the polls go quicker, and each tries again.
      this.#isDeaf = true;
    }
  }

  /** Ends the watches, as after the files were replaced; the polls go on. */
  stop(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    this.#isDeaf = false;
  }

  /** Ends the watches and the polls. */
  close(): void {
    this.stop();
    clearTimeout(this.#poll);
    this.#poll = undefined;
    this.#held = false;
  }

  #schedulePoll(): void {
    const isWatching = this.#watchers.size > 0 && !this.#isDeaf;
    // The net for notices that were lost: a sender was killed between commit and ring.
    const delayMs = isWatching ? untilBeat(Date.now()) : pollUnwatchedEveryMs;
    this.#poll = setTimeout(() => {
      this.#poll = undefined;
      if (!this.#held) {
        this.stop();
        return;
      }
      // The poll tries again.
      this.#isDeaf = false;
      this.#onPoll();
      this.#schedulePoll();
    }, delayMs);
    if (!this.#held) this.#poll.unref();
  }
}
