// All channels on which a process waits share one read of a host; who waits on one of them does not notice.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import t, { type Test } from 'tap';
import { RedisChannelLayer, type RedisLayerOptions } from '../../../../channels/layers/redis/layer.js';
import { numbered, range } from '../../../contracts/run.js';
import { patientMs } from '../../../support/patience.js';
import { RedisServer } from '../../../support/redis.js';
import { turns, until } from '../../../support/until.js';

const server = await RedisServer.start(t);
const raw = server.client(t);
let prefixes = 0;

/** Layer objects on one empty prefix, by default with reads that last so long that none ends by itself. */
function open(t: Test, options: RedisLayerOptions = {}) {
  const prefix = `waiting${++prefixes}:`;
  const make = () => {
    const layer = new RedisChannelLayer({
      hosts: [server.url],
      prefix,
      timeoutMs: patientMs,
      blockMs: 60_000,
      ...options,
    });
    t.teardown(() => layer.close());
    return layer;
  };
  return { prefix, make };
}

async function blocked(count: number): Promise<void> {
  await until(`${count} clients are blocked`, async () =>
    (await raw.info('clients')).includes(`blocked_clients:${count}\r\n`),
  );
}

t.test('channels share a read, and each gets what comes, in its order', async (t) => {
  const { make } = open(t, { blockMs: 100 });
  const [layer, sender] = [make(), make()];
  const names = range(10).map((i) => `chat${i}`);
  const received = names.map(async (name) => {
    const numbers: unknown[] = [];
    for (let message = await layer.receive(name); message.type !== 'end'; message = await layer.receive(name))
      numbers.push(message.n);
    return numbers;
  });
  await blocked(1);
  for (let n = 0; n < 20; n++) for (const name of names) await sender.send(name, numbered(n));
  for (const name of names) await sender.send(name, { type: 'end' });
  t.same(
    await Promise.all(received),
    names.map(() => range(20)),
  );
});

t.test('who comes while others wait has not to wait for the end of their read', async (t) => {
  const { make } = open(t);
  const [layer, sender] = [make(), make()];
  const first = layer.receive('first');
  await blocked(1);
  const second = layer.receive('second');
  await sender.send('second', numbered(2));
  t.match(await second, { n: 2 });
  await sender.send('first', numbered(1));
  t.match(await first, { n: 1 });
});

t.test('who stops waiting is given nothing, and the others go on waiting', async (t) => {
  const { make, prefix } = open(t);
  const [layer, sender] = [make(), make()];
  const calledOff = new AbortController();
  const one = layer.receive('one', { signal: calledOff.signal });
  const other = layer.receive('other');
  await blocked(1);
  calledOff.abort();
  await t.rejects(one);
  await sender.send('one', numbered(1));
  await sender.send('other', numbered(2));
  t.match(await other, { n: 2 });
  await until('it is there', async () => (await raw.zcard(`${prefix}one`)) === 1);
  await blocked(0);
});

t.test('messages of one read that arrive apart keep their order when nobody waits any more', async (t) => {
  const wire = await startSplitWire(t);
  const { make } = open(t, { hosts: [`redis://127.0.0.1:${wire.port}`] });
  const [layer, sender] = [make(), make()];
  const calledOff = new AbortController();
  const waiting = t.rejects(layer.receiveMany('split', { signal: calledOff.signal }));
  await blocked(1);
  calledOff.abort();
  await sender.sendMany('split', range(3).map(numbered));
  await waiting;
  await until('the second part is held', () => wire.isHeld);
  // By the reply to this, whatever was put back before is back.
  await turns();
  await layer.stats();
  const received = layer.receiveMany('split', { waitMs: 0 });
  wire.release();
  t.match(await received, range(3).map(numbered));
});

t.test(
  'a key that becomes something else while it is waited for keeps the others from nothing',
  async (t) => {
    const { make, prefix } = open(t);
    const [layer, sender] = [make(), make()];
    const refused = t.rejects(layer.receive('text'), { reason: 'refused', message: /WRONGTYPE/ });
    const fine = layer.receive('fine').then(() => layer.receive('fine'));
    await blocked(1);
    await raw.set(`${prefix}text`, 'x');
    await sender.send('fine', numbered(1));
    await refused;
    await sender.send('fine', numbered(2));
    t.match(await fine, { n: 2 });
  },
);

t.test('a key that holds something else keeps the others from nothing', async (t) => {
  const { make, prefix } = open(t);
  const [layer, sender] = [make(), make()];
  await raw.set(`${prefix}text`, 'x');
  const fine = layer.receive('fine');
  await t.rejects(layer.receive('text'), { code: 'CHANNELS_ERR_LAYER_UNAVAILABLE', message: /WRONGTYPE/ });
  await sender.send('fine', numbered(1));
  t.match(await fine, { n: 1 });
});

t.test('three channels need one blocked read, and closing ends it', async (t) => {
  const { make } = open(t);
  const layer = make();
  const channels = ['one', 'two', 'three'];
  const ended = channels.map((channel) =>
    t.rejects(layer.receive(channel), { code: 'CHANNELS_ERR_LAYER_CLOSED' }),
  );
  await blocked(1);
  await layer.close();
  await Promise.all(ended);
  await blocked(0);
});

/** A wire to the server on which what a script took after a blocked read comes only when it is released. */
async function startSplitWire(t: Test) {
  const wire = { port: 0, isHeld: false, release: () => {} };
  const listening = createServer((client) => {
    const target = connect(server.port, '127.0.0.1');
    client.pipe(target);
    target.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      const end = text.startsWith('*3\r\n') ? text.indexOf('*5\r\n') : -1;
      client.write(end < 0 ? bytes : bytes.subarray(0, end));
      if (end < 0) return;
      target.pause();
      wire.isHeld = true;
      wire.release = () => {
        client.write(bytes.subarray(end));
        target.resume();
      };
    });
    t.teardown(() => {
      client.destroy();
      target.destroy();
    });
  });
  listening.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  t.teardown(() => listening.close());
  const address = listening.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  wire.port = address.port;
  return wire;
}
