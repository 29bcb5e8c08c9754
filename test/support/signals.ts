// What hangs on the signals that were made since: what grows there is a leak.

import { getEventListeners } from 'node:events';
import type { Test } from 'tap';

/** Watches the signals of all controllers that are made from now on; tells how many listeners the fullest has. */
export function watchSignals(t: Test): () => number {
  const signals: AbortSignal[] = [];
  const { AbortController: Original } = globalThis;
  class Watched extends Original {
    constructor() {
      super();
      signals.push(this.signal);
    }
  }
  t.intercept(globalThis, 'AbortController', { value: Watched });
  return () => Math.max(...signals.map((signal) => getEventListeners(signal, 'abort').length));
}

/** A clock on which everything comes at once. */
export function hastyClock(): {
  readonly waits: () => number;
  now(): number;
  after(delayMs: number, callback: () => void): () => void;
} {
  let waits = 0;
  return {
    waits: () => waits,
    now: Date.now,
    after(_delayMs, callback) {
      waits += 1;
      const timer = setImmediate(callback);
      return () => clearImmediate(timer);
    },
  };
}
