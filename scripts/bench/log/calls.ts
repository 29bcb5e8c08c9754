// What a call of the logger costs the application's thread.

import { setImmediate as turn } from 'node:timers/promises';
import { createLogger } from '../../../src/log/create-logger.js';
import type { Found } from '../shared/results.js';
import type { Context } from './context.js';
import { makeSite, startWorker } from './linod.js';
import { messageOf, recordsInARow } from './message.js';

/**
 * All that this thread does for a record is counted: the call, the spool, the messages and their answers.
 *
 * @returns `info` and `fields` in µs a record, of this thread; `off` in ns a call that is below the level
 */
export async function calls({ directory, quick }: Context): Promise<Found> {
  const site = await makeSite(directory);
  const worker = await startWorker(site);
  const records = quick ? 5000 : 300_000;
  const logger = createLogger({ site: directory, name: 'calls' });
  try {
    for (let i = 0; i < 5000; i++) logger.info(messageOf(i));
    await logger.flush(60_000);
    const info = await cost(records, (i) => logger.info(messageOf(i)));
    await logger.flush(60_000);
    const fields = await cost(records, (i) => logger.info('order paid', { order: i, customer: 'C-17' }));
    await logger.flush(60_000);
    const off = await cost(records * 10, () => logger.debug('order paid'));
    return { info, fields, off: off * 1000 };
  } finally {
    await logger.close();
    await worker.stop();
  }
}

/** µs of wall time a call, the turns of the event loop between the calls included. */
async function cost(records: number, call: (i: number) => void): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < records; i++) {
    call(i);
    if (i % recordsInARow === 0) await turn();
  }
  return ((performance.now() - start) * 1000) / records;
}
