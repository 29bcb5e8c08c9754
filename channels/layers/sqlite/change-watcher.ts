// Notices what other processes write, at next to no cost while nothing happens.

import { type FSWatcher, watch } from 'node:fs';

/** The net for notices that were lost. */
const pollEveryMs = 3000;
/** Instead of it where the system cannot watch files. */
const pollUnwatchedEveryMs = 100;
/**
 * The notice comes with the bytes of a transaction, which counts only when a shared memory page says so some µs
 * later. Whoever looks in between, as the writer lost its processor, looks again after these.
 */
const lookAgainAfterMs = [2, 20, 200] as const;

/** States: idle; watching (someone waits, or did in the last seconds), held (someone waits: keeps the process alive). */
export class ChangeWatcher {
  readonly #path: string;
  readonly #onChange: () => void;
  readonly #onPoll: () => void;
  #watcher: FSWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #held = false;

  /**
   * @param path a database in WAL mode
   * @param onChange something was written, by whatever process, or may have been
   * @param onPoll called every few seconds while it is held
   */
  constructor(path: string, onChange: () => void, onPoll: () => void) {
    this.#path = path;
    this.#onChange = onChange;
    this.#onPoll = onPoll;
  }

  /** Someone waits. */
  hold(): void {
    if (this.#held) return;
    this.#held = true;
    if (this.#poll === undefined) this.#schedulePoll();
    else this.#poll.ref();
  }

  /** Nobody waits any more. The watch goes on for a while, since mostly someone will again. */
  release(): void {
    this.#held = false;
    this.#poll?.unref();
  }

  /** Begins to watch, if it does not. To be called while the database is open, as then the file is there. */
  start(): void {
    if (this.#watcher !== undefined) return;
    try {
      this.#watcher = watch(`${this.#path}-wal`, { persistent: false }, () => this.#changed());
      this.#watcher.on('error', () => this.stop());
    } catch {
      // No such file, no more watches allowed, a system without them: the polls go quicker, and each tries again.
      this.#watcher = undefined;
    }
  }

  /** Ends the watch, as after the file was replaced; the polls go on. */
  stop(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    clearTimeout(this.#again);
    this.#again = undefined;
  }

  close(): void {
    this.stop();
    clearTimeout(this.#poll);
    this.#poll = undefined;
    this.#held = false;
  }

  #changed(): void {
    if (!this.#held) return;
    this.#onChange();
    this.#lookAgain(0);
  }

  #lookAgain(step: number): void {
    clearTimeout(this.#again);
    const delayMs = lookAgainAfterMs[step];
    if (delayMs === undefined) return;
    this.#again = setTimeout(() => {
      if (!this.#held) return;
      this.#onChange();
      this.#lookAgain(step + 1);
    }, delayMs);
    this.#again.unref();
  }

  #schedulePoll(): void {
    const delayMs = this.#watcher === undefined ? pollUnwatchedEveryMs : pollEveryMs;
    this.#poll = setTimeout(() => {
      this.#poll = undefined;
      if (!this.#held) return this.stop();
      this.#onPoll();
      this.#schedulePoll();
    }, delayMs);
    if (!this.#held) this.#poll.unref();
  }
}
