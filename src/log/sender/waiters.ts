// Waits for a condition that changes now and then.

import type { Clock } from '../../base/clock.js';

export class Waiters {
  readonly #clock: Clock;
  readonly #checks = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something has changed: checks the conditions. */
  notify(): void {
    for (const check of this.#checks) check();
  }

  /** Resolves once `isOver` holds, or after `timeoutMs`. Keeps the process alive until then. */
  async wait(isOver: () => boolean, timeoutMs: number): Promise<void> {
    const keepAlive = setInterval(() => {}, 2 ** 30);
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(timeoutMs, () => end());
      const check = () => {
        if (isOver()) end();
      };
      const end = () => {
        cancel();
        this.#checks.delete(check);
        resolve();
      };
      this.#checks.add(check);
    });
    clearInterval(keepAlive);
  }
}
