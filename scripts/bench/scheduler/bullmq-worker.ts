// A worker of BullMQ whose processor notes each call down and does nothing else. Histories are kept, which is BullMQ's
// default. Not for people; bullmq.ts starts it with three arguments: where BullMQ is installed, the URL of Redis, the
// concurrency. Ends with SIGTERM.

import { writeFileSync } from 'node:fs';
import { loadBullMq, queueName, queueOptions } from './bullmq-package.js';
import { callsVariable, steadyNow } from './calls.js';

const [directory = '', url = '', concurrency = '1'] = process.argv.slice(2);
const { Worker } = loadBullMq(directory);
const calls: number[] = [];
const worker = new Worker(
  queueName,
  async ({ id, data }) => {
    calls.push(data.at ?? Number(id.slice(id.lastIndexOf(':') + 1)), Date.now(), steadyNow());
  },
  { ...queueOptions(url), concurrency: Number(concurrency) },
);
await worker.waitUntilReady();
console.log('ready');
process.once('SIGTERM', () => {
  worker.close().then(() => {
    writeFileSync(process.env[callsVariable] ?? '', JSON.stringify(calls));
    process.exit();
  });
});
