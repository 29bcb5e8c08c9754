// Runs a worker's regular steps at every beat.

import { untilBeat } from '../../channels/waiting/beat.js';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../log/logger.js';

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Run in this order at each beat, also after one has failed. */
  readonly steps: ReadonlyArray<() => Promise<void>>;
}

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #disarm: () => void = () => undefined;
  #beating: Promise<void> = Promise.resolve();
  #isStopped = false;
  #fails = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Whether the last beat failed. */
  get fails(): boolean {
    return this.#fails;
  }

  /** Beats now and then regularly. Call it once. */
  start(): void {
    const { clock } = this.#options;
    this.#beating = this.#beat().then(() => {
      if (!this.#isStopped) this.#disarm = clock.after(untilBeat(clock.now()), () => this.start());
    });
  }

  /** Resolves when the current beat is over; no other follows. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#disarm();
    await this.#beating;
  }

  /** Never rejects: a database that is away is logged once, and again when it is back. */
  async #beat(): Promise<void> {
    const { steps, logger } = this.#options;
    const failures: unknown[] = [];
    for (const step of steps) await step().catch((error: unknown) => failures.push(error));
    const [error] = failures;
    if (error !== undefined && !this.#fails) logger.error('the heartbeat failed; trying again', { error });
    if (error === undefined && this.#fails) logger.info('the heartbeat works again');
    this.#fails = error !== undefined;
  }
}
