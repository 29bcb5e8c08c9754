// The other end of layer-process.ts: one process with a SQLite layer that does what it is told over IPC.

import type { Message } from '../../channels/index.js';
import { SqliteChannelLayer } from '../../channels/layers/sqlite/layer.js';
import type { LayerCommands, Reply, Request } from './layer-process.js';

let layer: SqliteChannelLayer | undefined;

const commands: LayerCommands = {
  async open(options) {
    await layer?.close();
    layer = new SqliteChannelLayer(options);
  },

  async send({ channel, from, count }) {
    let accepted = 0;
    for (let n = from; n < from + count; n++) if (await isAccepted(channel, n)) accepted++;
    return accepted;
  },

  async pour({ channel, from, count, batch }) {
    let accepted = 0;
    for (let n = from; n < from + count; n += batch) {
      const numbers = Array.from({ length: Math.min(batch, from + count - n) }, (_, i) => n + i);
      const outcomes = await opened().sendMany(
        channel,
        numbers.map((n) => ({ type: 'test.numbered', n })),
      );
      accepted += outcomes.filter((outcome) => outcome.accepted).length;
    }
    return accepted;
  },

  async scoop({ channel, max }) {
    const layer = opened();
    const received: number[] = [];
    await untilClosed(async () => {
      for (const { n } of await layer.receiveMany(channel, { max })) received.push(Number(n));
    });
    return received;
  },

  async collect({ channel }) {
    const received: number[] = [];
    for (;;) {
      const message = await opened().receive(channel);
      if (message.type !== 'test.numbered') return received;
      received.push(Number(message.n));
    }
  },

  async echo({ from, to }) {
    const layer = opened();
    await untilClosed(async () => layer.send(to, (await layer.receive(from)) as unknown as Message));
  },

  async burst({ channel }) {
    await untilClosed(async () => {
      await Promise.all(Array.from({ length: 20 }, (_, n) => isAccepted(channel, n)));
      await opened().receive(channel);
    });
  },
};

function opened(): SqliteChannelLayer {
  if (layer === undefined) throw new Error('expected the command open first');
  return layer;
}

async function isAccepted(channel: string, n: number): Promise<boolean> {
  try {
    await opened().send(channel, { type: 'test.numbered', n });
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'CHANNELS_ERR_CHANNEL_FULL') return false;
    throw error;
  }
}

async function untilClosed(step: () => Promise<void>): Promise<void> {
  try {
    for (;;) await step();
  } catch (error) {
    if ((error as { code?: string }).code !== 'CHANNELS_ERR_LAYER_CLOSED') throw error;
  }
}

function answer(reply: Reply): void {
  process.send?.(reply);
}

process.on('message', ({ id, command, options }: Request) => {
  const run = commands[command] as (options: unknown) => Promise<unknown>;
  run(options).then(
    (result) => answer({ id, result }),
    (error: unknown) => answer({ id, error: String(error) }),
  );
});
answer({ id: 0 });
