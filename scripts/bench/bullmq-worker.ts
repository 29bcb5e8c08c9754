// A worker of BullMQ that notes each call of its processor. Not for people; scheduler.ts and worker.ts start it with where BullMQ
// is installed, the URL of Redis, the concurrency, and the file for its calls. It ends with SIGTERM.

import { writeFileSync } from 'node:fs';
import { monotonicMs } from './contest.js';
import { bullMqOptions, loadBullMq } from './servers.js';

const [home = '', url = '', concurrency = '1', file = ''] = process.argv.slice(2);
const { Worker } = loadBullMq(home);
const calls: number[] = [];
const worker = new Worker(
  'bench',
  // A scheduler's job is called `repeat:SCHEDULER:MILLISECONDS`.
  async ({ id, data }) => {
    calls.push(data.at ?? Number(id.slice(id.lastIndexOf(':') + 1)), Date.now(), monotonicMs());
  },
  { ...bullMqOptions(url), concurrency: Number(concurrency) },
);
await worker.waitUntilReady();
console.log('ready');
process.once('SIGTERM', () => {
  worker.close().then(() => {
    writeFileSync(file, JSON.stringify(calls));
    process.exit();
  });
});
