// The console in a worker. The worker goes on without it, whatever happens to it.

import type { Console, ConsoleOptions } from '../console/console.js';
import { wait } from '../console/stream.js';

/** Another worker may have the address, and leave it when it stops; or an account is still to be added. */
const retryMs = 5000;

export class WorkerConsole {
  readonly #options: ConsoleOptions;
  readonly #stop = new AbortController();
  readonly #started: Promise<Console | undefined>;

  /** Begins to start it, and tries again until it has started or is closed. */
  constructor(options: ConsoleOptions) {
    this.#options = options;
    this.#started = this.#start();
  }

  /** Safe to call twice. */
  async close(graceMs: number): Promise<void> {
    this.#stop.abort();
    await (await this.#started)?.close(graceMs);
  }

  async #start(): Promise<Console | undefined> {
    const { logger, listen } = this.#options;
    let reported = '';
    while (!this.#stop.signal.aborted) {
      try {
        const { Console } = await import('../console/console.js');
        const console = await Console.start(this.#options);
        logger.info(`the console is on ${console.url}; "linod console link" prints a link that signs in`);
        return console;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (message !== reported)
          logger.warning(`no console on ${listen}, the worker tries again: ${message}`);
        reported = message;
      }
      await wait(retryMs, this.#stop.signal);
    }
    return undefined;
  }
}
