// Notices listeners that go deaf, and that hear again.

import { type Clock, pause } from '../clock.js';
import { isOverdue, type Listening, silentMs } from './listening.js';
import type { WorkerEvent } from './worker-events.js';

export interface WatchedListener {
  readonly channel: string;
  /** Undefined while nothing is asked of the layer. */
  listening(): Listening | undefined;
}

export interface ListenerWatchOptions {
  readonly listeners: readonly WatchedListener[];
  readonly clock: Clock;
  readonly report: (event: WorkerEvent) => void;
}

/** Between two checks, and while a listener is deaf. */
const checkEveryMs = 3000;
const checkDeafEveryMs = 1000;
/** A check that comes later than this shows that this process stood still, and has yet to read what has come. */
const tooLateMs = 250;

/** Reports once when a listener begins to be deaf, and once when the store was heard of again. */
export class ListenerWatch {
  readonly #options: ListenerWatchOptions;
  /** Since when, in the clock's milliseconds, by channel. */
  readonly #deafSince = new Map<string, number>();

  constructor(options: ListenerWatchOptions) {
    this.#options = options;
  }

  /** Checks until `stopping`. @throws what `report` or a layer's `listening` throws */
  async run(stopping: AbortSignal): Promise<void> {
    const { clock, listeners } = this.#options;
    for (;;) {
      const delayMs = this.#deafSince.size > 0 ? checkDeafEveryMs : checkEveryMs;
      const dueAt = clock.now() + delayMs;
      if (!(await pause(clock, delayMs, stopping))) return;
      if (clock.now() - dueAt <= tooLateMs) for (const listener of listeners) this.#check(listener);
    }
  }

  #check(listener: WatchedListener): void {
    const { clock, report } = this.#options;
    const { channel } = listener;
    const found = listener.listening();
    const since = this.#deafSince.get(channel);
    if (since === undefined) {
      if (found === undefined || !isOverdue(found)) return;
      const silent = silentMs(found);
      this.#deafSince.set(channel, clock.now() - silent);
      report({ type: 'deaf', channel, silentMs: silent, dueMs: found.dueMs });
      return;
    }
    // One that has given up and asks anew has heard of nothing yet.
    const { heardMsAgo = null, dueMs = 0 } = found ?? {};
    if (heardMsAgo === null || heardMsAgo > dueMs) return;
    this.#deafSince.delete(channel);
    report({ type: 'hearsAgain', channel, silentMs: clock.now() - since });
  }
}
