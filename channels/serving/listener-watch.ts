// Reports listeners that become deaf, and those that recover.

import { type Clock, pause } from '../clock.js';
import { isOverdue, type Listening, silentMs } from './listening.js';
import type { WorkerEvent } from './worker-events.js';

export interface WatchedListener {
  readonly channel: string;
  /** What the layer knows of its store; undefined while nobody receives. */
  listening(): Listening | undefined;
}

export interface ListenerWatchOptions {
  readonly listeners: readonly WatchedListener[];
  readonly clock: Clock;
  readonly report: (event: WorkerEvent) => void;
}

/** Between two checks, and between two checks while a listener is deaf. */
const checkEveryMs = 3000;
const checkDeafEveryMs = 1000;
/**
 * A check that is later than this is skipped: the process was suspended, and has not yet read the answers.
 */
const tooLateMs = 250;

/** Reports once when a listener becomes deaf, and once when its store answers again. */
export class ListenerWatch {
  readonly #options: ListenerWatchOptions;
  /** The start of each silence, in the clock's milliseconds, by channel. */
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
    // A listener that has just started to ask again has no answer yet.
    const { heardMsAgo = null, dueMs = 0 } = found ?? {};
    if (heardMsAgo === null || heardMsAgo > dueMs) return;
    this.#deafSince.delete(channel);
    report({ type: 'hearsAgain', channel, silentMs: clock.now() - since });
  }
}
