// The Redis layer while Redis is away, stops, hangs, refuses or comes back.

import { inspect } from 'node:util';
import t, { type Test } from 'tap';
import { encode } from '../../../../channels/codec/msgpack.js';
import {
  type ConnectionChange,
  RedisChannelLayer,
  type RedisLayerOptions,
} from '../../../../channels/layers/redis/layer.js';
import { RedisServer } from '../../../support/redis.js';
import { turns } from '../../../support/until.js';

const unavailable = { code: 'CHANNELS_ERR_LAYER_UNAVAILABLE' };

function open(t: Test, server: RedisServer, options: RedisLayerOptions = {}): RedisChannelLayer {
  const layer = new RedisChannelLayer({ hosts: [server.url], capacity: 10_000, ...options });
  t.teardown(() => layer.close());
  return layer;
}

t.test('receivers wait through a restart of Redis, senders are told, and both go on', async (t) => {
  const server = await RedisServer.start(t);
  const changes: ConnectionChange[] = [];
  const layer = open(t, server, { timeoutMs: 1000, onConnection: (change) => changes.push(change) });
  const own = await layer.newChannel();
  await layer.send('warm', { type: 'x' });
  await layer.receive('warm');
  const waiting = [layer.receive('chat'), layer.receive('chat'), layer.receive(own)];
  await server.stop();
  await t.rejects(layer.send('chat', { type: 'x' }), unavailable);
  await t.rejects(layer.groupAdd('room', 'chat'), unavailable);
  await t.rejects(layer.groupSend('room', { type: 'x' }), unavailable);
  await t.rejects(layer.flush(), unavailable);
  await server.restart();
  await untilSent(layer, 'chat', { type: 'first' });
  await layer.send('chat', { type: 'second' });
  await layer.send(own, { type: 'third' });
  const received = await Promise.all(waiting);
  t.same(received.map(({ type }) => type).sort(), ['first', 'second', 'third']);
  t.match(changes, [{ connected: false, error: unavailable }, { connected: true }]);
  t.equal(changes.length, 2);
});

t.test('a layer may be used before there is a server', async (t) => {
  const server = await RedisServer.start(t);
  await server.stop();
  const layer = open(t, server, { timeoutMs: 500 });
  const waiting = layer.receive('chat');
  await t.rejects(layer.send('chat', { type: 'x' }), {
    ...unavailable,
    message: `Redis at 127.0.0.1:${server.port} cannot be reached: connect ECONNREFUSED 127.0.0.1:${server.port}`,
  });
  await server.restart();
  await untilSent(layer, 'chat', { type: 'x' });
  t.strictSame(await waiting, { type: 'x' });
});

t.test('a message that goes back comes once, though the reply to that was lost', async (t) => {
  const server = await RedisServer.start(t);
  const raw = server.client(t);
  const blocked = (count: number) =>
    until(async () => (await raw.info('clients')).includes(`blocked_clients:${count}\r\n`));
  let isAway = false;
  const onConnection = ({ connected }: ConnectionChange) => {
    isAway ||= !connected;
  };
  const [layer, other] = [open(t, server, { timeoutMs: 300, onConnection }), open(t, server)];
  await layer.send('warm', { type: 'x' });
  const controller = new AbortController();
  const waiting = layer.receive('chat', { signal: controller.signal });
  await blocked(1);
  const others = other.receive('chat');
  await blocked(2);
  // Goes to the one who was first, and lies there when its receive is called off; the server does nothing more until
  // the layer has given up the connection over which it went back.
  const member = Buffer.concat([Buffer.alloc(12), encode({ type: 'once' })]);
  server.runSynchronously(['ZADD', 'asgichat', String(Date.now() / 1000)], member);
  server.pause();
  controller.abort();
  await t.rejects(waiting);
  await until(() => isAway);
  server.continue();
  t.strictSame(await others, { type: 'once' }, 'it is back');
  await untilSent(layer, 'chat', { type: 'next' });
  t.strictSame(await layer.receive('chat'), { type: 'next' });
});

t.test('what Redis kept on its disk is received after its restart', async (t) => {
  const server = await RedisServer.start(t, { persistent: true });
  const layer = open(t, server);
  for (let n = 0; n < 10; n++) await layer.send('chat', { type: 'x', ...{ n } });
  await server.kill();
  const waiting = Array.from({ length: 10 }, () => layer.receive('chat'));
  await server.restart();
  t.same(
    (await Promise.all(waiting)).map(({ n }) => n),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
});

t.test('whatever send accepted while Redis was killed again and again is there, and once', async (t) => {
  const server = await RedisServer.start(t, { persistent: true });
  const layer = open(t, server, { timeoutMs: 300 });
  const accepted: number[] = [];
  const refusals: unknown[] = [];
  let sending = true;
  const sends = (async () => {
    for (let n = 0; sending; n++) {
      try {
        await layer.send('chat', { type: 'x', ...{ n } });
        accepted.push(n);
      } catch (error) {
        refusals.push(error);
      }
    }
  })();
  for (let round = 1; round <= 3; round++) {
    const enough = accepted.length + 50;
    await until(() => accepted.length >= enough);
    await server.kill();
    await server.restart();
  }
  sending = false;
  await sends;
  await layer.send('chat', { type: 'end' });
  const received: unknown[] = [];
  for (
    let message = await layer.receive('chat');
    message.type !== 'end';
    message = await layer.receive('chat')
  )
    received.push(message.n);
  const missing = accepted.filter((n) => !received.includes(n));
  t.same(missing, []);
  t.equal(new Set(received).size, received.length, 'none was sent twice');
  t.ok(refusals.length > 0, 'some were refused');
  for (const error of refusals) t.match(error, unavailable);
});

t.test('a hanging Redis is noticed by senders, and everything goes on when it hangs no more', async (t) => {
  const server = await RedisServer.start(t);
  const layer = open(t, server, { timeoutMs: 150 });
  await untilSent(layer, 'chat', { type: 'before' });
  t.strictSame(await layer.receive('chat'), { type: 'before' });
  const waiting = layer.receive('other');
  server.pause();
  await t.rejects(layer.send('chat', { type: 'x' }), unavailable, 'with a connection that was there');
  await t.rejects(layer.send('chat', { type: 'x' }), unavailable, 'with a connection that is begun');
  server.continue();
  await untilSent(layer, 'other', { type: 'after' });
  t.strictSame(await waiting, { type: 'after' });
});

t.test('senders that wait for a connection are bounded in number', async (t) => {
  const server = await RedisServer.start(t);
  await server.stop();
  const layer = open(t, server, { timeoutMs: 500 });
  let settled = 0;
  const sends = Array.from({ length: 1500 }, () =>
    layer.send('chat', { type: 'x' }).finally(() => {
      settled++;
    }),
  );
  const outcomes = Promise.allSettled(sends);
  await until(() => settled > 0);
  t.equal(settled, 500, 'those beyond 1000 are refused at once');
  t.ok((await outcomes).every(({ status }) => status === 'rejected'));
});

t.test('an abort ends the wait for a connection, with its own reason, and nothing is sent', async (t) => {
  const server = await RedisServer.start(t);
  await server.stop();
  const layer = open(t, server, { timeoutMs: 60_000 });
  const controller = new AbortController();
  const sent = layer.send('chat', { type: 'x' }, { signal: controller.signal });
  const received = layer.receive('chat', { signal: controller.signal });
  controller.abort(new Error('enough'));
  await t.rejects(sent, { message: 'enough' });
  await t.rejects(received, { message: 'enough' });
  await server.restart();
  await layer.send('chat', { type: 'only one' });
  t.strictSame(await layer.receive('chat'), { type: 'only one' });
});

t.test('an abort does not call off what Redis may have accepted', async (t) => {
  const server = await RedisServer.start(t);
  const layer = open(t, server, { timeoutMs: 500 });
  await layer.stats();
  server.pause();
  const calledOff = new AbortController();
  const sending = t.rejects(layer.send('chat', { type: 'x' }, { signal: calledOff.signal }), unavailable);
  await turns();
  calledOff.abort();
  await sending;
  server.continue();
  t.strictSame(await layer.receive('chat'), { type: 'x' });
});

t.test('aborts under load lose nothing and double nothing', async (t) => {
  const server = await RedisServer.start(t);
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  t.comment(`SEED=${seed}`);
  const random = generator(seed);
  const layers = [open(t, server), open(t, server), open(t, server)];
  const [sender = open(t, server)] = layers;
  const total = 600;
  const received: unknown[] = [];
  const receivers = layers.map(async (layer) => {
    while (received.length < total) {
      const controller = new AbortController();
      const waiting = layer.receive('chat', { signal: controller.signal }).then(
        ({ n }) => received.push(n),
        () => undefined,
      );
      for (let turn = Math.floor(random() * 12); turn > 0; turn--)
        await new Promise((resolve) => setImmediate(resolve));
      controller.abort();
      await waiting;
    }
  });
  for (let n = 0; n < total; n++) await sender.send('chat', { type: 'x', ...{ n } });
  await Promise.all(receivers);
  t.same(
    received.sort((a, b) => Number(a) - Number(b)),
    Array.from({ length: total }, (_, n) => n),
  );
});

const waysToAsk: Readonly<Record<string, (layer: RedisChannelLayer) => Promise<unknown>>> = {
  'one by one': async (layer) => [await layer.receive('chat')],
  'in batches': (layer) => layer.receiveMany('chat'),
  'for what is there': (layer) => layer.receiveMany('chat', { waitMs: 0 }),
};

for (const [how, ask] of Object.entries(waysToAsk)) {
  const title = `a message taken in the moment of an abort outlives the server, for who asks ${how}`;
  t.test(title, async (t) => {
    const server = await RedisServer.start(t);
    const [layer, sender] = [open(t, server, { timeoutMs: 100 }), open(t, server)];
    await sender.send('warm', { type: 'x' });
    const controller = new AbortController();
    const aborted = layer.receive('chat', { signal: controller.signal });
    const raw = server.client(t);
    await until(async () => (await raw.info('clients')).includes('blocked_clients:1\r\n'));
    raw.disconnect();
    server.runSynchronously(['EVAL', giveOut, '1', 'asgichat', String(Date.now() / 1000)]);
    server.killNow();
    controller.abort();
    await t.rejects(aborted);
    // By the time that the second of two sends has failed, putting the message back has failed as well.
    for (let n = 0; n < 2; n++) await t.rejects(layer.send('other', { type: 'x' }), unavailable);
    await server.restart();
    await untilSent(layer, 'other', { type: 'x' });
    t.strictSame(await ask(layer), [{}]);
  });
}

t.test('closing ends everything at once, with Redis there, away or hanging', async (t) => {
  for (const state of ['there', 'away', 'hanging'] as const) {
    const server = await RedisServer.start(t);
    const layer = open(t, server, { timeoutMs: 60_000 });
    await layer.send('warm', { type: 'x' });
    await layer.receive('warm');
    const closed = { code: 'CHANNELS_ERR_LAYER_CLOSED' };
    const waits = [t.rejects(layer.receive('chat'), closed, `${state}: receive`)];
    if (state === 'away') await server.stop();
    if (state === 'hanging') server.pause();
    // That the connection is gone may be known before the close.
    const ended = state === 'away' ? { code: /^CHANNELS_ERR_LAYER_(CLOSED|UNAVAILABLE)$/ } : closed;
    if (state !== 'there') waits.push(t.rejects(layer.send('chat', { type: 'x' }), ended, `${state}: send`));
    await Promise.all([layer.close(), ...waits]);
    await layer.close();
  }
});

t.test('a close in the moment in which Redis gives out a message leaves it there', async (t) => {
  const server = await RedisServer.start(t);
  const [layer, other] = [open(t, server), open(t, server)];
  const raw = server.client(t);
  const waiting = layer.receive('chat');
  await until(async () => (await raw.info('clients')).includes('blocked_clients:1\r\n'));
  server.runSynchronously(['EVAL', giveOut, '1', 'asgichat', String(Date.now() / 1000)]);
  await Promise.all([layer.close(), t.rejects(waiting, { code: 'CHANNELS_ERR_LAYER_CLOSED' })]);
  t.strictSame(await other.receive('chat'), {});
});

t.test('a wrong password is an error for senders and receivers, and no error shows a password', async (t) => {
  const server = await RedisServer.start(t, { args: ['--requirepass', 'päss/wörd'] });
  const url = (password: string) => `redis://:${encodeURIComponent(password)}@127.0.0.1:${server.port}`;
  const right = open(t, server, { hosts: [url('päss/wörd')] });
  await right.send('chat', { type: 'x' });
  t.strictSame(await right.receive('chat'), { type: 'x' });
  for (const hosts of [[url('topsecret')], [server.url]]) {
    const wrong = open(t, server, { hosts, timeoutMs: 300 });
    for (const call of [() => wrong.send('chat', { type: 'x' }), () => wrong.receive('chat')]) {
      const error = await call().then(
        () => undefined,
        (reason: Error) => reason,
      );
      t.match(error, { ...unavailable, message: /refused: (WRONGPASS|NOAUTH)/ });
      t.notMatch(inspected(error), /topsecret/);
    }
  }
});

t.test('the database and the socket of a URL are used', async (t) => {
  const server = await RedisServer.start(t);
  const raw = server.client(t);
  for (const [db, url] of [
    [3, `${server.url}/3`],
    [4, `${server.url}?db=4`],
    [5, `unix://${server.socketPath}?db=5`],
  ] as const) {
    await open(t, server, { hosts: [url] }).send('chat', { type: 'x' });
    await raw.select(db);
    t.same(await raw.keys('*'), ['asgichat'], url);
  }
  const beyond = open(t, server, { hosts: [`${server.url}/99`], timeoutMs: 300 });
  await t.rejects(beyond.send('chat', { type: 'x' }), {
    ...unavailable,
    message: /DB index is out of range/,
  });
  await raw.select(0);
  t.same(await raw.keys('*'), []);
});

t.test('options that make no sense are refused without showing a password', async (t) => {
  const refused: ReadonlyArray<readonly [object, RegExp]> = [
    [{ hosts: 'redis://:topsecret@localhost' }, /expected hosts to be a list of URLs, of pairs/],
    [{ hosts: ['http://user:topsecret@localhost'] }, /hosts\[0\].*redis:\/\//],
    [{ hosts: ['redis://:topsecret@host/name'] }, /database is a number/],
    [{ hosts: ['redis://:topsecret@host?ssl=1'] }, /no other parameter than db/],
    [{ hosts: ['not a URL'] }, /hosts\[0\]/],
    [{ hosts: ['unix://'] }, /path of a socket/],
    [{ hosts: [5] }, /hosts\[0\]/],
    [{ serializer: 'pickle' }, /serializer/],
    [{ symmetricEncryptionKeys: 'topsecret' }, /list of keys/],
    [{ prefix: 5 }, /prefix/],
    [{ randomPrefixLength: -1 }, /randomPrefixLength/],
    [{ timeoutMs: 0 }, /timeoutMs/],
    [{ expiry: 0 }, /expiry/],
    [{ capacity: 0 }, /capacity/],
  ];
  for (const [options, message] of refused) {
    const error = thrown(() => new RedisChannelLayer(options));
    t.match(error, { code: 'CHANNELS_ERR_INVALID_OPTION', message });
    t.notMatch(inspected(error), /topsecret/);
  }
  t.doesNotThrow(() => new RedisChannelLayer({ hosts: [] }), 'an empty list is the default');
});

t.test('a key of another type is an error for whoever uses it, not an endless wait', async (t) => {
  const server = await RedisServer.start(t);
  await server.client(t).set('asgichat', 'text');
  const layer = open(t, server);
  await t.rejects(layer.send('chat', { type: 'x' }), { ...unavailable, message: /WRONGTYPE/ });
  await t.rejects(layer.receive('chat'), { ...unavailable, message: /WRONGTYPE/ });
});

/** Adds an empty message, as `redis-cli` could not write it. */
const giveOut = "return redis.call('ZADD', KEYS[1], ARGV[1], string.rep('x', 12) .. string.char(128))";

/** Sends as soon as Redis takes it. */
async function untilSent(
  layer: RedisChannelLayer,
  channel: string,
  message: { type: string },
): Promise<void> {
  for (;;) {
    try {
      await layer.send(channel, message);
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== unavailable.code) throw error;
    }
  }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

/** All that a log could show of an error. */
function inspected(error: unknown): string {
  return inspect(error, { depth: 10, showHidden: true });
}

function thrown(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}

function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
