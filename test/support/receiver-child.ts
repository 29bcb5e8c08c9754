// The other end of receiver.ts: takes numbered messages and notes each in a file before it acknowledges.

import { closeSync, openSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { type Leased, openLayer, type Received, Worker } from '../../channels/index.js';
import type { ReceiverOptions } from './receiver.js';

const handlingMs = 2;

const options: ReceiverOptions = JSON.parse(process.argv.at(-1) ?? '{}');
const { url, channel, notes, max, lease } = options;

const layer = await openLayer(url, { capacity: 100_000 });
const file = openSync(notes, 'a');

/** As a handler that takes a while. What it has written is there even if the process is killed in the next moment. */
async function handle(message: Received): Promise<void> {
  await pause(handlingMs);
  if (typeof message.n === 'number') writeSync(file, `${message.n}\n`);
}

async function acknowledge(leased: Leased): Promise<void> {
  try {
    await leased.ack();
  } catch (error) {
    // The server is away: the message comes again.
    if (codeOf(error) !== 'CHANNELS_ERR_LAYER_UNAVAILABLE') throw error;
  }
}

async function work(): Promise<void> {
  if (lease === undefined) {
    for (const message of await layer.receiveMany(channel, { max })) await handle(message);
    return;
  }
  for (const leased of await layer.receiveMany(channel, { max, lease })) {
    await handle(leased.message);
    await acknowledge(leased);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** Handles messages as a worker does that was given no `prefetch`. */
async function serve(): Promise<void> {
  const worker = new Worker({
    application: async (_scope, receive) => {
      for (;;) await handle({ ...(await receive()) });
    },
    layer,
    channels: [channel],
    ...(lease !== undefined && { lease }),
  });
  await worker.run(stopping.signal);
}

async function workUntilClosed(): Promise<void> {
  if (max === undefined) return serve();
  try {
    for (;;) await work();
  } catch (error) {
    if (codeOf(error) !== 'CHANNELS_ERR_LAYER_CLOSED') throw error;
  }
}

const stopping = new AbortController();
process.once('message', async () => {
  const done = workUntilClosed();
  process.once('message', async () => {
    stopping.abort();
    if (max === undefined) await done;
    await layer.close();
    await done;
    closeSync(file);
    process.disconnect();
  });
});
process.send?.('ready');
