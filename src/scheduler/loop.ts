// The task coroutine: calls `Tasks.run` when it wants to be called, when it is woken, and now and then as a net.

import { beatMs, untilBeat } from '../../channels/waiting/beat.js';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../log/logger.js';
import { interrupted } from '../runs/job.js';
import { settleMs } from '../runs/run-stop.js';
import type { Tasks } from './tasks.js';

/** Waiting after a failed tick, doubled with each further one up to a beat. */
const firstRetryMs = 250;

type LoopTasks = Pick<Tasks, 'begin' | 'run' | 'attend' | 'settled' | 'abortAll' | 'running'>;

/**
 * Two states: stopped, and started. While started there is always either a tick going on or a timer set; a wake-up
 * during a tick makes it run once more.
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

  /** Begins to run what is due. Safe to call again: it is then only a wake-up. */
  start(): void {
    if (!this.#started) this.#tasks.begin();
    this.#started = true;
    this.wake();
  }

  /** Looks at the rules now. Does nothing before `start`. */
  wake(): void {
    if (!this.#started) return;
    this.#wanted = true;
    this.#ticking ??= this.#tickWhileWanted();
  }

  /** Takes no new work until `resume`; what runs goes on, and can be cancelled. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#tasks.begin();
    this.wake();
  }

  get paused(): boolean {
    return this.#paused;
  }

  /**
   * Takes no new work and waits for the runs. Shortly before `graceMs` are over it asks them to end, and when they are
   * over it waits no more for those that did not.
   */
  async stop(graceMs: number): Promise<void> {
    this.#started = false;
    this.#disarm();
    const patienceMs = Math.min(settleMs, graceMs / 2);
    const patience = new AbortController();
    const disarm = this.#clock.after(graceMs - patienceMs, () => patience.abort());
    await this.#ticking;
    await this.#tasks.settled(patience.signal);
    disarm();
    if (this.#tasks.running.length === 0) return;
    this.#tasks.abortAll(interrupted, patienceMs);
    await this.#tasks.settled();
  }

  async #tickWhileWanted(): Promise<void> {
    this.#disarm();
    let until = this.#clock.now();
    while (this.#wanted && this.#started) {
      this.#wanted = false;
      until = await this.#tick();
      // On SQLite nothing in a tick waits for anything: timers and messages are to have their turn.
      if (this.#wanted) await new Promise((resolve) => setImmediate(resolve));
    }
    this.#ticking = null;
    if (this.#started) this.#rest(until);
  }

  /** Every wake-up may be lost, and the clock may be set: so there is a tick at the next beat, at the latest. */
  #rest(until: number): void {
    const now = this.#clock.now();
    const restMs = Math.max(0, until - now);
    this.#disarm = this.#clock.after(restMs > beatMs ? untilBeat(now) : restMs, () => this.wake());
  }

  /** @returns when the next one has to come, in ms since 1970 */
  async #tick(): Promise<number> {
    try {
      const next = await (this.#paused ? this.#tasks.attend() : this.#tasks.run());
      if (this.#failures > 0) this.#logger.info('the rules can be read again');
      this.#failures = 0;
      return next.getTime();
    } catch (error) {
      // Told once, not at every try: the database may be away for hours.
      if (this.#failures === 0) this.#logger.error('the rules cannot be read or run; trying again', error);
      this.#failures++;
      return this.#clock.now() + Math.min(firstRetryMs * 2 ** (this.#failures - 1), beatMs);
    }
  }
}
