// What a worker does every few seconds: saying that it is alive, and looking after the others.

import { untilBeat } from '../../channels/waiting/beat.js';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../log/logger.js';

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Done in this order at each beat; one that fails keeps no other from being done. */
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

  /** Beats now, and from then on with the process. Called once. */
  start(): void {
    const { clock } = this.#options;
    this.#beating = this.#beat().then(() => {
      if (!this.#isStopped) this.#disarm = clock.after(untilBeat(clock.now()), () => this.start());
    });
  }

  /** Resolves when the beat that goes on is over; there is no other. */
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
