// The console of a worker, in a thread. The worker goes on without it, whatever happens to it.

import { Worker } from 'node:worker_threads';
import { builtModule } from '../base/built-module.js';
import type { ConsoleOrder, ThreadRecord } from '../console/thread.js';
import type { Logger } from '../log/logger.js';
import { type Site, workerSettings } from '../site/site.js';

const restartMs = 5000;
/** How long after the grace the thread may close what it has open. */
const closeMs = 2000;

export interface WorkerConsoleOptions {
  readonly site: Site;
  readonly logger: Logger;
  /** Where to listen, as the setting `console` takes it. */
  readonly listen: string;
}

export class WorkerConsole {
  readonly #options: WorkerConsoleOptions;
  #thread: Worker;
  #ended: Promise<void>;
  #restart: NodeJS.Timeout | undefined;
  #isClosing = false;

  /** Begins to start it. After a failure it is started again, until it is closed. */
  constructor(options: WorkerConsoleOptions) {
    this.#options = options;
    [this.#thread, this.#ended] = this.#start();
  }

  /** Safe to call twice. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#restart);
    this.#thread.postMessage(graceMs);
    const thread = this.#thread;
    const late = setTimeout(() => void thread.terminate(), graceMs + closeMs);
    await this.#ended;
    clearTimeout(late);
  }

  #start(): [Worker, Promise<void>] {
    const { site, logger, listen } = this.#options;
    const order: ConsoleOrder = {
      directory: site.directory,
      settings: workerSettings(site),
      listen,
      logger: logger.name,
    };
    const thread = new Worker(builtModule('src/console/thread.js'), { workerData: order, argv: [] });
    let failure: unknown;
    thread.on('message', ({ level, logger: name, message, fields, trace }: ThreadRecord) =>
      logger.named(name).record(level, message, fields === undefined ? undefined : JSON.parse(fields), trace),
    );
    thread.on('error', (error) => {
      failure = error;
    });
    const ended = new Promise<void>((resolve) => {
      thread.on('exit', () => {
        if (!this.#isClosing) this.#startAgain(failure);
        resolve();
      });
    });
    return [thread, ended];
  }

  #startAgain(failure: unknown): void {
    const { logger, listen } = this.#options;
    logger.error(`the console on ${listen} has ended; the worker starts it again`, { error: failure });
    this.#restart = setTimeout(() => {
      [this.#thread, this.#ended] = this.#start();
    }, restartMs);
  }
}
