// The program of the thread in which a worker serves its console: what a page asks for delays no rule.

import { parentPort, workerData } from 'node:worker_threads';
import { aborted } from '../base/aborted.js';
import type { LevelName } from '../base/log-levels.js';
import { stringifyFields } from '../log/fields.js';
import { everything } from '../log/levels/level-tree.js';
import { Logger } from '../log/logger.js';
import { siteOfWorker, type WorkerSettings } from '../site/site.js';
import { openStore } from '../store/store.js';
import { Console, type ConsoleOptions } from './console.js';
import { wait } from './stream.js';

/** What the worker gives the thread. It ends the thread by a message: the grace in ms. */
export interface ConsoleOrder {
  readonly directory: string;
  readonly settings: WorkerSettings;
  readonly listen: string;
  /** The name of the logger. */
  readonly logger: string;
}

/** What the thread logs: the worker's levels decide whether it gets into the log. */
export interface ThreadRecord {
  readonly level: LevelName;
  readonly logger: string;
  readonly message: string;
  /** JSON. */
  readonly fields: string | undefined;
  readonly trace: string | undefined;
}

/** Another worker may have the address, and leave it when it stops; or an account is still to be added. */
const retryMs = 5000;

async function serve({ directory, settings, listen, logger: name }: ConsoleOrder): Promise<void> {
  const stop = new AbortController();
  let graceMs = 0;
  parentPort?.once('message', (grace: number) => {
    graceMs = grace;
    stop.abort();
  });
  const logger = new Logger({
    sink: {
      write: (level, logger, message, fields, trace) => {
        const record: ThreadRecord = {
          level,
          logger,
          message,
          fields: fields === undefined ? undefined : stringifyFields(fields),
          trace,
        };
        parentPort?.postMessage(record);
      },
    },
    name,
    levels: everything,
    redact: settings.redact,
  });
  const site = await siteOfWorker(directory, settings);
  await site.loadProcedures();
  const store = await openStore(site);
  const layer = await site.openLayer();
  try {
    const console = await startSometime({ site, store, layer, logger, listen }, stop.signal);
    await aborted(stop.signal);
    await console?.close(graceMs);
  } finally {
    await layer.close();
    await store.close();
  }
}

/** Undefined when it is stopped before it could start. */
async function startSometime(options: ConsoleOptions, stop: AbortSignal): Promise<Console | undefined> {
  const { logger, listen } = options;
  let reported = '';
  while (!stop.aborted) {
    try {
      const console = await Console.start(options);
      logger.info(`the console is on ${console.url}; "linod console link" prints a link that signs in`);
      return console;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== reported) logger.warning(`no console on ${listen}, the worker tries again: ${message}`);
      reported = message;
    }
    await wait(retryMs, stop);
  }
  return undefined;
}

await serve(workerData);
