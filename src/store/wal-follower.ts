// Hears that something was written into a SQLite file, whichever program wrote it: its `-wal` file changes.
//
// What it tells is only that somebody may want to look. Most of what is written is written by this very process, which then
// need not look; but it may be that somebody else writes in the same moment. So it does now and then, and is to look
// by itself every few seconds.
//
// A request for a run is told at once, sooner than the message that comes after it: who asked for it waits.

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
/** So many writes, its own and others', are heard between two looks. Of what comes after them it hears at the next look. */
const mostHeard = 200;
const newestRequest = 'select max(id) as id from job_requests';
/** In these words, for SQLite to see that an index has just these requests. */
const openRequest = 'select 1 from job_requests where handled_at is null limit 1';

/** The connection of this process through which it mostly writes. */
export type OwnConnection = Pick<SqliteHandle, 'writes' | 'dataVersion' | 'execute'>;

/**
 * Tells of `rule_changes` and `job_requests`; of requests within half a second when others write all the time. Orders come with messages
 * only, and requests as well.
 */
export class WalFollower implements Following {
  readonly listening: Promise<void>;
  readonly #path: string;
  readonly #options: FollowOptions;
  readonly #own: OwnConnection | undefined;
  #watcher: FSWatcher | null = null;
  #disarm: (() => void) | null = null;
  #inTrouble = false;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** At the last look, or when an own write was passed over. */
  #seen: { readonly writes: number; readonly dataVersion: unknown } | undefined;
  #passedOver = 0;
  /** Writes since the last look. */
  #heard = 0;
  /** The number of the newest request when requests were told, or none was open. */
  #newest = 0;

  /** @param path of the database */
  constructor(path: string, own: OwnConnection | undefined, options: FollowOptions) {
    this.#path = `${path}-wal`;
    this.#own = own;
    this.#options = options;
    this.#lookAndWatch();
    this.listening = Promise.resolve();
  }

  async close(): Promise<void> {
    this.#disarm?.();
    this.#stopWatching();
  }

  /** The watch first, so that nothing is written between the two. */
  #lookAndWatch(): void {
    this.#disarm = null;
    try {
      // Anew each time: the file is another one when all connections were closed meanwhile.
      this.#stopWatching();
      this.#watcher = watch(this.#path, { persistent: false }, () => this.#onWrite());
      this.#watcher.on('error', (error) => this.#fail(error));
      this.#tell(undefined);
    } catch (error) {
      this.#fail(error);
    }
    this.#lookedAt = performance.now();
    this.#seen = this.#state();
    this.#passedOver = 0;
    this.#heard = 0;
    this.#options.onNews('rule_changes');
    // The watch before may have ended with the notice of a write.
    this.#tellIfAsked();
  }

  #onWrite(): void {
    if (++this.#heard > mostHeard) this.#stopWatching();
    if (!this.#isOwn()) this.#tellIfAsked();
    else if (++this.#passedOver <= mostOwn) return;
    this.#lookLater(Math.max(settleMs, this.#lookedAt + gapMs - performance.now()));
  }

  /**
   * Tells of requests that nobody has taken up, once: one that waits for its time or for a place may do so for hours, while others write
   * all the time.
   */
  #tellIfAsked(): void {
    if (this.#own === undefined) return;
    try {
      const [row] = this.#own.execute(newestRequest, []).rows as { id: number | null }[];
      const newest = row?.id ?? 0;
      if (newest === this.#newest) return;
      this.#newest = newest;
      if (this.#own.execute(openRequest, []).rows.length > 0) this.#options.onNews('job_requests');
    } catch {
      // The message comes, and who looks then is told what is wrong.
    }
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
    this.#disarm ??= this.#options.clock.after(delayMs, () => this.#lookAndWatch());
  }

  #stopWatching(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }

  #fail(error: unknown): void {
    this.#stopWatching();
    this.#lookLater(retryMs);
    this.#tell(error);
  }

  #tell(error: unknown): void {
    if (this.#inTrouble === (error !== undefined)) return;
    this.#inTrouble = error !== undefined;
    this.#options.onTrouble(error);
  }
}
