// Runs the writer's turns: one at a time, when due, and again after a failure.

import type { Clock } from '../../base/clock.js';

export interface TurnLoopOptions {
  readonly clock: Clock;
  readonly turn: () => Promise<void>;
  /** How long until the next turn is due, in ms; 0 or less for now. */
  readonly untilDueMs: () => number;
  /**
   * Called with the error when a turn fails for the first time, and with undefined when a turn succeeds
   * again.
   */
  readonly onTrouble: (error: unknown) => void;
}

const firstRetryMs = 100;
const longestRetryMs = 5000;

/**
 * The loop is in one of these modes:
 *
 * - *idle*: a timer waits for the next turn. The timer, or `runNow`: *running*.
 * - *running*: a turn runs. Afterwards *running* again if `runNow` was called or the next turn is due, else
 *   *idle*. An error: *failing*.
 * - *failing*: a timer waits for the next try, twice as long after each failure. `schedule` does not shorten
 *   the wait. A turn that succeeds: *idle*.
 * - *stopped*: no timer runs. Only `runNow` starts a turn.
 */
export class TurnLoop {
  readonly #options: TurnLoopOptions;
  #turns: Promise<void> = Promise.resolve();
  #isRunning = false;
  #isAskedAgain = false;
  #isFailing = false;
  #isStopped = false;
  #retryMs = firstRetryMs;
  #cancelTimer: (() => void) | undefined;

  constructor(options: TurnLoopOptions) {
    this.#options = options;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Starts a turn now or, while one runs, right after it. */
  runNow(): void {
    this.#isAskedAgain = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#turns = this.#run();
  }

  /** Something is new, so the next turn may be due earlier. */
  schedule(): void {
    if (!this.#isRunning && !this.#isFailing) this.#runAfter(this.#options.untilDueMs());
  }

  /** Resolves when no turn runs. */
  async settled(): Promise<void> {
    await this.#turns;
  }

  /** Starts no more turns by timer. Safe to call twice. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { turn, untilDueMs } = this.#options;
    let waitMs = 0;
    while (this.#isAskedAgain) {
      this.#isAskedAgain = false;
      try {
        await turn();
        this.#retryMs = firstRetryMs;
        this.#report(undefined);
        waitMs = untilDueMs();
        if (waitMs <= 0) this.#isAskedAgain = true;
      } catch (error) {
        this.#report(error);
        waitMs = this.#retryMs;
        this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs);
      }
    }
    // No await between `untilDueMs` and this line: nothing new can arrive unnoticed.
    this.#isRunning = false;
    this.#runAfter(waitMs);
  }

  #runAfter(ms: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#isStopped) return;
    if (ms <= 0) this.runNow();
    else this.#cancelTimer = this.#options.clock.after(ms, () => this.runNow());
  }

  #report(error: unknown): void {
    if (this.#isFailing === (error !== undefined)) return;
    this.#isFailing = error !== undefined;
    this.#options.onTrouble(error);
  }
}
