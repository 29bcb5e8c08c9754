// Hears that something was written into a SQLite file, whichever program wrote it: its `-wal` file changes.
//
// What it tells is only that somebody may want to look. Most of what is written is written by this very process, which then
// need not look; but it may be that somebody else writes in the same moment. So it does now and then, and is to look
// by itself every few seconds.

import { type FSWatcher, watch } from 'node:fs';
import type { Following, FollowOptions } from './backend.js';
import type { SqliteHandle } from './sqlite-handle.js';

/**
 * From a write to the look: the notice comes with the bytes, a little before they count. Short, since a process that has just
 * written itself is still awake, and waking it once more costs more than the look.
 */
const settleMs = 20;
/** From one look to the next while others write all the time. */
const gapMs = 400;
/** Where files cannot be watched it looks so often, and tries again. */
const retryMs = 5000;
/** So many writes of its own are passed over between two looks. */
const mostOwn = 10;

/** The connection of this process through which it mostly writes. */
export type OwnConnection = Pick<SqliteHandle, 'writes' | 'dataVersion'>;

/** Tells of `rule_changes` and of nothing else: requests and orders come with messages. */
export class WalFollower implements Following {
  readonly listening: Promise<void>;
  readonly #path: string;
  readonly #options: FollowOptions;
  readonly #own: OwnConnection | undefined;
  #watcher: FSWatcher | null = null;
  #disarm: () => void = () => undefined;
  #inTrouble = false;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** At the last look, or when an own write was passed over. */
  #seen: { readonly writes: number; readonly dataVersion: unknown } | undefined;
  #passedOver = 0;

  /** @param path of the database */
  constructor(path: string, own: OwnConnection | undefined, options: FollowOptions) {
    this.#path = `${path}-wal`;
    this.#own = own;
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
    this.#seen = this.#state();
    this.#passedOver = 0;
    this.#options.onNews('rule_changes');
  }

  #onWrite(): void {
    if (this.#passedOver < mostOwn && this.#isOwn()) {
      this.#passedOver++;
      return;
    }
    this.#lookLater(Math.max(settleMs, this.#lookedAt + gapMs - performance.now()));
  }

  /** Whether it was this process that wrote, and nobody else of whom it can be seen by now. */
  #isOwn(): boolean {
    const before = this.#seen;
    const now = this.#state();
    this.#seen = now;
    return before !== undefined && now?.dataVersion === before.dataVersion && now?.writes !== before.writes;
  }

  #state() {
    try {
      return this.#own && { writes: this.#own.writes, dataVersion: this.#own.dataVersion };
    } catch {
      return undefined; // it is closed, or of a file that is beyond use
    }
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
