// A process that logs with pino into a file, synchronously, as it does by default. Not for people; pino.ts starts it with
// where pino is installed and the file. Each line of standard input is a number of records.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { messageOf, recordsInARow } from './message.js';
import { obey } from './orders.js';

/** As much of pino as is used here. */
interface Pino {
  (options: { readonly name: string }, destination: unknown): { info(message: string): void };
  destination(options: { readonly dest: string; readonly sync: boolean }): unknown;
}

const [directory = '', dest = ''] = process.argv.slice(2);
const pino = createRequire(join(directory, 'pino-sender.js'))('pino') as Pino;
const logger = pino({ name: 'web' }, pino.destination({ dest, sync: true }));
await obey(async (line) => {
  const records = Number(line);
  for (let i = 0; i < records; i++) {
    logger.info(messageOf(i));
    if (i % recordsInARow === 0) await turn();
  }
});
process.exit();
