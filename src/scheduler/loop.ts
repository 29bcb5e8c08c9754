// The task coroutine. It calls `Tasks.run` at the time that `Tasks.run` returned, on a wake-up, and every 5 s in case one
// was lost.

import { detached } from '../../channels/tracing/peer.js';
import { beatMs, untilBeat } from '../../channels/waiting/beat.js';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../log/logger.js';
import { interrupted } from '../runs/job.js';
import { settleMs } from '../runs/run-stop.js';
import type { Tasks } from './tasks.js';

/** The delay after a failed tick. It doubles with each further failure, up to a beat. */
const firstRetryMs = 250;

type LoopTasks = Pick<Tasks, 'startPolling' | 'run' | 'runPaused' | 'settled' | 'abortAll' | 'running'>;

/**
 * The loop is in one of these states:
 *
 * - *stopped*: nothing happens. `start`: *started*.
 * - *started*: a tick goes on or a timer is set. A wake-up during a tick causes one more. `stop`: *stopped*.
 * - *paused*, while started: a tick begins no runs and only ends those that someone cancels. `resume`: *started*.
 *
 * The daemon pauses the loop at the signal TSTP, for an operator who wants no new runs, and resumes it at CONT.
 */
export class TaskLoop {
  readonly #tasks: LoopTasks;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #started = false;
  #paused = false;
  #ticking: Promise<void> | null = null;
  #wanted = false;
  #disarm: () => void = () => undefined;
  #failures = 0;

  constructor(tasks: LoopTasks, clock: Clock, logger: Logger) {
    this.#tasks = tasks;
    this.#clock = clock;
    this.#logger = logger;
  }

  get started(): boolean {
    return this.#started;
  }

  /** Starts to poll. A further call is only a wake-up. */
  start(): void {
    if (!this.#started) this.#tasks.startPolling();
    this.#started = true;
    this.wake();
  }

  /** Polls now. Does nothing before `start`. */
  wake(): void {
    if (!this.#started) return;
    this.#wanted = true;
    // The loop outlives the message that wakes it.
    this.#ticking ??= detached(() => this.#tickWhileWanted());
  }

  /** Starts no jobs until `resume`. Running jobs continue and can be cancelled. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#tasks.startPolling();
    this.wake();
  }

  get paused(): boolean {
    return this.#paused;
  }

  /**
   * Starts no more jobs and waits for the running ones, for at most `graceMs`. Shortly before that time is
   * over it aborts them; it gives up those that have not ended by then.
   */
  async stop(graceMs: number): Promise<void> {
    this.#started = false;
    this.#disarm();
    const abortMs = Math.min(settleMs, graceMs / 2);
    const waiting = new AbortController();
    const disarm = this.#clock.after(graceMs - abortMs, () => waiting.abort());
    await this.#ticking;
    await this.#tasks.settled(waiting.signal);
    disarm();
    if (this.#tasks.running.length === 0) return;
    this.#tasks.abortAll(interrupted, abortMs);
    await this.#tasks.settled();
  }

  async #tickWhileWanted(): Promise<void> {
    this.#disarm();
    let until = this.#clock.now();
    while (this.#wanted && this.#started) {
      this.#wanted = false;
      until = await this.#tick();
      // SQLite calls never yield to the event loop, so give timers and messages a turn.
      if (this.#wanted) await new Promise((resolve) => setImmediate(resolve));
    }
    this.#ticking = null;
    if (this.#started) this.#rest(until);
  }

  /** Wakes at the next beat at the latest: a wake-up may be lost, and the clock may be set. */
  #rest(until: number): void {
    const now = this.#clock.now();
    const restMs = Math.max(0, until - now);
    this.#disarm = this.#clock.after(restMs > beatMs ? untilBeat(now) : restMs, () => this.wake());
  }

  /** @returns when to poll next, in ms since 1970 */
  async #tick(): Promise<number> {
    try {
      const next = await (this.#paused ? this.#tasks.runPaused() : this.#tasks.run());
      if (this.#failures > 0) this.#logger.info('polling the rules succeeds again');
      this.#failures = 0;
      return next.getTime();
    } catch (error) {
      // Logged once, not at every attempt: the database may be away for hours.
      if (this.#failures === 0) this.#logger.error('polling the rules failed; trying again', error);
      this.#failures++;
      return this.#clock.now() + Math.min(firstRetryMs * 2 ** (this.#failures - 1), beatMs);
    }
  }
}
