// A process that says when its logger's level has changed, looking once a millisecond. Not for people; levels.ts starts it with
// the site's directory.

import { setTimeout as pause } from 'node:timers/promises';
import { createLogger } from '../../../src/log/create-logger.js';

const [site = ''] = process.argv.slice(2);
const logger = createLogger({ site, name: 'web' }).child('orders');
await logger.flush();
console.log('ready');
for (let i = 1, was = logger.isEnabledFor('DEBUG'); ; await pause(1)) {
  const is = logger.isEnabledFor('DEBUG');
  if (is !== was) console.log(`change ${i++}`);
  was = is;
}
