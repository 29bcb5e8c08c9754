// A process that logs through linod. Not for people; linod.ts starts it with the site's directory and how many loggers
// are to share the work; `run` as a third argument says that there is no worker yet. Each line of standard input is a number
// of records.

import { setImmediate as turn } from 'node:timers/promises';
import { createLogger } from '../../../src/log/create-logger.js';
import { messageOf, recordsInARow } from './message.js';
import { obey } from './orders.js';

const [site = '', count = '1', waits = 'wait'] = process.argv.slice(2);
const loggers = Array.from({ length: Number(count) }, (_, i) =>
  createLogger({ site, name: `web${i === 0 ? '' : i}` }).child('orders'),
);
if (waits === 'wait') {
  for (const logger of loggers) logger.info('ready');
  await Promise.all(loggers.map((logger) => logger.flush()));
}
await obey(async (line) => {
  const records = Number(line);
  for (let i = 0; i < records; i++) {
    loggers[i % loggers.length]?.info(messageOf(i));
    if (i % recordsInARow === 0) await turn();
  }
  // When nobody takes them, they are on the way to the spool until here.
  await Promise.all(loggers.map((logger) => logger.flush(120_000)));
});
process.exit();
