// Asks a store whether it answers. However many ask at once, the store gets one question at a time.

import { setTimeout } from 'node:timers/promises';

/** An answer counts for so long. */
const freshMs = 500;

export class Probe {
  readonly #ask: () => Promise<unknown>;
  readonly #limitMs: number;
  #pending: Promise<void> | undefined;
  #askedAt = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #problem: string | null = null;

  /** @param limitMs how long a caller of `check` waits for the answer */
  constructor(ask: () => Promise<unknown>, limitMs = 2000) {
    this.#ask = ask;
    this.#limitMs = limitMs;
  }

  /** How long the current question has waited for its answer or its failure; 0 without one. */
  get pendingMs(): number {
    return this.#pending === undefined ? 0 : performance.now() - this.#askedAt;
  }

  /** @returns what is wrong, or null. Never rejects. */
  async check(): Promise<string | null> {
    if (this.#pending === undefined && performance.now() - this.#answeredAt < freshMs) return this.#problem;
    this.#pending ??= this.#question();
    const wait = new AbortController();
    const late = setTimeout(this.#limitMs, true, { signal: wait.signal }).catch(() => false);
    const isLate = await Promise.race([this.#pending.then(() => false), late]);
    wait.abort();
    return isLate ? `no answer within ${this.#limitMs} ms` : this.#problem;
  }

  async #question(): Promise<void> {
    this.#askedAt = performance.now();
    try {
      await this.#ask();
      this.#problem = null;
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
    }
    this.#answeredAt = performance.now();
    this.#pending = undefined;
  }
}
