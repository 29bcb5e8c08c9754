// What a worker does every few seconds: saying that it is alive, and looking after the others.

import { untilBeat } from '../../channels/beat.js';
import type { Clock } from '../clock.js';
import type { Logger } from '../log/logger.js';

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Done in this order at each beat; one that fails keeps no other from being done. */
  readonly steps: readonly Step[];
  /** Done after them when there may be news, or the beat before failed: they have nothing to do unless others have written. */
  readonly looks: readonly Step[];
  readonly hasNews: () => boolean;
}

type Step = () => Promise<void>;

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
    this.#beating = this.#beat().then(() => {
      if (!this.#isStopped) this.#beatLater();
    });
  }

  /** Resolves when the beat that goes on is over; there is no other. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#disarm();
    await this.#beating;
  }

  #beatLater(): void {
    const { clock } = this.#options;
    this.#disarm = clock.after(untilBeat(clock.now()), () => this.start());
  }

  /** Never rejects: a database that is away is told once, and again when it is back. */
  async #beat(): Promise<void> {
    const { steps, looks, hasNews, logger } = this.#options;
    const failures: unknown[] = [];
    const shallLook = hasNews() || this.#fails;
    for (const step of shallLook ? [...steps, ...looks] : steps)
      await step().catch((error: unknown) => failures.push(error));
    const [error] = failures;
    if (error !== undefined && !this.#fails) logger.error('the heartbeat failed; trying again', { error });
    if (error === undefined && this.#fails) logger.info('the heartbeat works again');
    this.#fails = error !== undefined;
  }
}
