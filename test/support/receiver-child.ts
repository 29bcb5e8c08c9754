// The other end of receiver.ts: takes numbered messages and notes each in a file before it acknowledges.

import { closeSync, openSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { type Leased, openLayer, type Received } from '../../channels/index.js';
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

async function workUntilClosed(): Promise<void> {
  try {
    for (;;) await work();
  } catch (error) {
    if (codeOf(error) !== 'CHANNELS_ERR_LAYER_CLOSED') throw error;
  }
}

process.once('message', async () => {
  const done = workUntilClosed();
  process.once('message', async () => {
    await layer.close();
    await done;
    closeSync(file);
    process.disconnect();
  });
});
process.send?.('ready');
