// One of the demo's application processes: logs a number of records, one every few milliseconds, and ends.
//
// Usage: node application.js SITE NAME COUNT. It prints how many records it has logged, at the end.

import { setTimeout } from 'node:timers/promises';
import { createLogger } from '../../src/log/index.js';

const [site = '.', name = 'web', count = '100'] = process.argv.slice(2);
const logger = createLogger({ site, name });
const orders = logger.child('orders');
const total = Number(count);

for (let number = 1; number <= total; number++) {
  if (number % 250 === 0) orders.warning(`stock of article ${number % 7} is low`, { record: number });
  else orders.info(`order ${number} taken`, { record: number });
  if (number % 5 === 0) await setTimeout(20);
}
await logger.close();
process.stdout.write(`${total}\n`);
