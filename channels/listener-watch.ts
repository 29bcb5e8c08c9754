// Notices listeners that go deaf, and that hear again. A tick looks at all of them and says when the next is worth it.

import { type Clock, pause } from './clock.js';
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

/** One that asks for nothing may begin to in any moment; it is due no sooner than so long after. */
const lookAtIdleMs = 3000;
/** When something was due, it has so much longer: a process that was busy itself reads only now what has come. */
const secondLookMs = 500;
const lookAtDeafMs = 1000;
/** A look that comes so late tells of this process, which stood still, and not of the store. */
const tooLateMs = 250;

/** Tells once when a listener begins to be deaf, and once when the store was heard of again. */
export class ListenerWatch {
  readonly #options: ListenerWatchOptions;
  /** Overdue at the last look. */
  readonly #suspects = new Set<string>();
  /** Since when, in the clock's milliseconds. */
  readonly #deafSince = new Map<string, number>();

  constructor(options: ListenerWatchOptions) {
    this.#options = options;
  }

  /** Looks until `stopping`. @throws what `report` or a layer's `listening` throws */
  async run(stopping: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let nextMs = this.#look(false);
    for (let dueAt = clock.now() + nextMs; await pause(clock, nextMs, stopping); dueAt = clock.now() + nextMs)
      nextMs = this.#look(clock.now() - dueAt <= tooLateMs);
  }

  /** Returns in how many milliseconds to look again. */
  #look(isInTime: boolean): number {
    const { listeners } = this.#options;
    return Math.min(...listeners.map((listener) => this.#lookAt(listener, isInTime)));
  }

  #lookAt(listener: WatchedListener, isInTime: boolean): number {
    const { channel } = listener;
    const found = listener.listening();
    if (this.#deafSince.has(channel)) return this.#lookAtDeaf(channel, found);
    if (found === undefined || !isOverdue(found)) {
      this.#suspects.delete(channel);
      return found === undefined ? lookAtIdleMs : found.dueMs - silentMs(found) + 1;
    }
    if (!this.#suspects.has(channel) || !isInTime) {
      this.#suspects.add(channel);
      return secondLookMs;
    }
    this.#begin(channel, found);
    return lookAtDeafMs;
  }

  #lookAtDeaf(channel: string, found: Listening | undefined): number {
    // One that has given up and asks anew has heard of nothing yet.
    const { heardMsAgo = null, dueMs = 0 } = found ?? {};
    if (heardMsAgo === null || heardMsAgo > dueMs) return lookAtDeafMs;
    this.#end(channel);
    return dueMs - heardMsAgo + 1;
  }

  #begin(channel: string, listening: Listening): void {
    const { clock, report } = this.#options;
    this.#suspects.delete(channel);
    const silent = silentMs(listening);
    this.#deafSince.set(channel, clock.now() - silent);
    report({ type: 'deaf', channel, silentMs: silent, dueMs: listening.dueMs });
  }

  #end(channel: string): void {
    const { clock, report } = this.#options;
    const silent = clock.now() - (this.#deafSince.get(channel) ?? clock.now());
    this.#deafSince.delete(channel);
    report({ type: 'hearsAgain', channel, silentMs: silent });
  }
}
