// Hears that something was written into a SQLite file, whichever program wrote it: its `-wal` file changes.
//
// What it tells is only that somebody may want to look; the workers themselves write, too. So the looks are seldom, and
// there is none while nothing is written.

import { type FSWatcher, watch } from 'node:fs';
import type { Following, FollowOptions } from './backend.js';

/**
 * From a write to the look: the notice comes with the bytes, a little before they count. Short, since a process that has just
 * written itself is still awake, and waking it once more costs more than the look.
 */
const settleMs = 20;
/** From one look to the next while others write all the time. */
const gapMs = 400;
/** Where files cannot be watched it looks so often, and tries again. */
const retryMs = 5000;

/** Tells of `rule_changes` and of nothing else: requests and orders come with messages. */
export class WalFollower implements Following {
  readonly listening: Promise<void>;
  readonly #path: string;
  readonly #options: FollowOptions;
  #watcher: FSWatcher | null = null;
  #disarm: () => void = () => undefined;
  #inTrouble = false;
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** @param path of the database */
  constructor(path: string, options: FollowOptions) {
    this.#path = `${path}-wal`;
    this.#options = options;
    this.#lookAndWatch();
    this.listening = Promise.resolve();
  }

  async close(): Promise<void> {
    this.#disarm();
    this.#watcher?.close();
    this.#watcher = null;
  }

  /** The watch first, so that nothing is written between the two. One watch hears one write. */
  #lookAndWatch(): void {
    try {
      this.#watcher = watch(this.#path, { persistent: false }, () => this.#onWrite());
      this.#watcher.on('error', (error) => this.#fail(error));
      this.#tell(undefined);
    } catch (error) {
      this.#fail(error);
    }
    this.#lookedAt = performance.now();
    this.#options.onNews('rule_changes');
  }

  #onWrite(): void {
    this.#lookLater(Math.max(settleMs, this.#lookedAt + gapMs - performance.now()));
  }

  #lookLater(delayMs: number): void {
    this.#watcher?.close();
    this.#watcher = null;
    this.#disarm();
    this.#disarm = this.#options.clock.after(delayMs, () => this.#lookAndWatch());
  }

  #fail(error: unknown): void {
    this.#lookLater(retryMs);
    this.#tell(error);
  }

  #tell(error: unknown): void {
    if (this.#inTrouble === (error !== undefined)) return;
    this.#inTrouble = error !== undefined;
    this.#options.onTrouble(error);
  }
}
