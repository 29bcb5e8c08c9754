import type { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import type { ConnectionChange, DroppedMessage, Message, Received } from '../../../../channels/index.js';
import {
  ForeignMemberError,
  RedisPubSubChannelLayer,
  type RedisPubSubLayerOptions,
} from '../../../../channels/layers/redis-pubsub/layer.js';
import { numbered, range, receive } from '../../../contracts/run.js';
import { patientMs } from '../../../support/patience.js';
import { cases, Random } from '../../../support/random.js';
import { RedisServer } from '../../../support/redis.js';
import { fromTagged } from '../../../support/tagged-values.js';
import { turns, until } from '../../../support/until.js';
import { wireVectors } from '../../../support/wire-vectors.js';

const server = await RedisServer.start(t);
const raw = server.client(t);

function open(t: Test, options: RedisPubSubLayerOptions = {}): RedisPubSubChannelLayer {
  const layer = new RedisPubSubChannelLayer({ hosts: [server.url], timeoutMs: patientMs, ...options });
  t.teardown(() => layer.close());
  return layer;
}

async function subscribers(name: string, client: Redis = raw): Promise<number> {
  return Number((await client.pubsub('NUMSUB', name))[1]);
}

function listening(name: string, count: number, client: Redis = raw): Promise<void> {
  return until(`${count} listen to ${name}`, async () => (await subscribers(name, client)) === count);
}

t.test('names and payloads are those of the original', async (t) => {
  const layer = open(t);
  const { new_channel, new_channel_with_prefix_ws, published } = wireVectors.pubsub;
  const shape = (name: string) => name.replace(/[\da-f]{32}$/, 'HEX');
  t.equal(shape(await layer.newChannel()), shape(new_channel));
  t.equal(shape(await layer.newChannel('ws')), shape(new_channel_with_prefix_ws));
  const witness = server.client(t);
  const seen: Array<readonly [string, string]> = [];
  witness.on('messageBuffer', (name: Buffer, payload: Buffer) => {
    seen.push([name.toString(), payload.toString('base64')]);
  });
  await witness.subscribe(...published.map(({ channel }) => channel));
  for (const { channel, decoded } of published) {
    const [, group] = /^asgi__group__(.*)/.exec(channel) ?? [];
    const message = fromTagged(decoded) as Message;
    await (group === undefined ? layer.send(channel, message) : layer.groupSend(group, message));
  }
  await until('all arrived', () => seen.length === published.length);
  t.same(
    seen,
    published.map(({ channel, payload_b64 }) => [channel, payload_b64]),
  );
});

t.test('what the original published is received', async (t) => {
  const layer = open(t);
  const { published } = wireVectors.pubsub;
  await layer.groupAdd('room', await layer.newChannel());
  for (const { channel, payload_b64, decoded } of published) {
    const received = receive(layer, channel);
    await listening(channel, 1);
    await raw.publish(channel, Buffer.from(payload_b64, 'base64'));
    t.match(await received, fromTagged(decoded) as object);
  }
});

t.test('a new channel is subscribed to when its name is known', async (t) => {
  const layer = open(t, { prefix: 'my:' });
  const channel = await layer.newChannel();
  t.match(channel, /^my:specific\.[\da-f]{32}$/);
  t.equal(await subscribers(channel), 1);
  for (let n = 0; n < 3; n++) await layer.send(channel, numbered(n));
  for (let n = 0; n < 3; n++) t.match(await receive(layer, channel), { n });
});

t.test('each layer object gets every message of a general channel, its receivers share them', async (t) => {
  const [a, b] = [open(t), open(t)];
  const waits = [receive(a, 'general'), receive(a, 'general'), receive(b, 'general')];
  await listening('general', 2);
  await b.send('general', numbered(1));
  await b.send('general', numbered(2));
  t.same(
    (await Promise.all(waits)).map(({ n }) => n),
    [1, 2, 1],
  );
  t.match(await receive(b, 'general'), { n: 2 }, 'what came between two receives is kept');
});

t.test('messages arrive in their order, also those that are not waited for', async (t) => {
  const layer = open(t, { capacity: 1000 });
  const channel = await layer.newChannel();
  await Promise.all(range(200).map((n) => layer.send(channel, numbered(n))));
  const outcomes = await layer.sendMany(channel, range(100).map(numbered));
  t.ok(outcomes.every(({ accepted }) => accepted));
  const order: unknown[] = [];
  while (order.length < 300) for (const { n } of await layer.receiveMany(channel, { max: 70 })) order.push(n);
  t.same(order, [...range(200), ...range(100)]);
});

t.test('a group reaches its members in all processes, and each has a copy of its own', async (t) => {
  const [a, b] = [open(t), open(t)];
  const members = [await a.newChannel(), await a.newChannel(), await b.newChannel()];
  await a.groupAdd('room', members[0] ?? '');
  await a.groupAdd('room', members[1] ?? '');
  await a.groupAdd('room', members[1] ?? '');
  await b.groupAdd('room', members[2] ?? '');
  t.equal(await subscribers('asgi__group__room'), 2);
  await b.groupSend('room', { type: 'test', ...{ list: [1] } });
  const received = await Promise.all(members.map((channel, i) => receive(i < 2 ? a : b, channel)));
  const [first, ...others] = received;
  if (Array.isArray(first?.list)) first.list.push(2);
  for (const message of others) t.strictSame({ ...message }, { type: 'test', list: [1] });
});

t.test('a group is subscribed to while it has members here', async (t) => {
  const layer = open(t);
  const [one, two] = [await layer.newChannel(), await layer.newChannel()];
  await Promise.all([layer.groupAdd('brief', one), layer.groupAdd('brief', two)]);
  await layer.groupDiscard('brief', one);
  t.equal(await subscribers('asgi__group__brief'), 1);
  await layer.groupSend('brief', numbered(1));
  t.match(await receive(layer, two), { n: 1 });
  await layer.groupDiscard('brief', two);
  t.equal(await subscribers('asgi__group__brief'), 0);
  await layer.groupDiscard('brief', two);
  await layer.groupSend('brief', numbered(2));
  for (const channel of [one, two]) {
    await layer.send(channel, numbered(3));
    t.match(await receive(layer, channel), { n: 3 }, 'the only message');
  }
});

t.test('only a channel of this layer object can join a group', async (t) => {
  const [a, b] = [open(t), open(t)];
  const channel = await a.newChannel();
  await t.rejects(b.groupAdd('room', channel), ForeignMemberError);
  await t.rejects(b.groupAdd('room', 'general'), { code: 'CHANNELS_ERR_FOREIGN_MEMBER', channel: 'general' });
  const waiting = receive(b, 'joins');
  await b.groupAdd('joined', 'joins');
  await a.groupSend('joined', numbered(1));
  t.match(await waiting, { n: 1 });
});

t.test('a channel that nobody receives drops its oldest and says so', async (t) => {
  const dropped: DroppedMessage[] = [];
  const layer = open(t, {
    capacity: 3,
    channelCapacity: { 'asgismall*': 1 },
    onDrop: (drop) => dropped.push(drop),
  });
  const [large, small] = [await layer.newChannel(), await layer.newChannel('small')];
  for (const channel of [large, small]) for (let n = 0; n < 5; n++) await layer.send(channel, numbered(n));
  await until('the rest is dropped', () => dropped.length === 6);
  t.same(dropped.slice(0, 2), Array(2).fill({ channel: large, reason: 'overflow' }));
  t.same(dropped.slice(2), Array(4).fill({ channel: small, reason: 'overflow' }));
  for (const n of [2, 3, 4]) t.match(await receive(layer, large), { n });
  t.match(await receive(layer, small), { n: 4 });
});

t.test('an aborted receive forgets its channel and leaves it in no group', async (t) => {
  const layer = open(t);
  const [leaves, stays] = [await layer.newChannel(), await layer.newChannel()];
  await layer.groupAdd('left', leaves);
  await layer.groupAdd('shared', leaves);
  await layer.groupAdd('shared', stays);
  const controller = new AbortController();
  const reason = new Error('enough');
  const waiting = layer.receive(leaves, { signal: controller.signal });
  controller.abort(reason);
  await t.rejects(waiting, reason);
  await listening(leaves, 0);
  await listening('asgi__group__left', 0);
  t.equal(await subscribers('asgi__group__shared'), 1);
  await t.rejects(layer.groupAdd('left', leaves), ForeignMemberError);
  await layer.groupSend('shared', numbered(1));
  t.match(await receive(layer, stays), { n: 1 });
});

t.test(
  'an aborted receive leaves the channel to others who wait, and can be followed by a new one',
  async (t) => {
    const layer = open(t);
    const controller = new AbortController();
    const { signal } = controller;
    const [aborted, other] = [layer.receive('both', { signal }), receive(layer, 'both')];
    controller.abort();
    await t.rejects(aborted);
    await listening('both', 1);
    await layer.send('both', numbered(1));
    t.match(await other, { n: 1 });
    const again = new AbortController();
    const second = layer.receive('both', { signal: again.signal });
    again.abort();
    await t.rejects(second);
    const third = receive(layer, 'both');
    // Redis answers one after the other: with this, both subscriptions and the end of the first are done.
    await layer.newChannel();
    t.equal(await subscribers('both'), 1);
    await layer.send('both', numbered(2));
    t.match(await third, { n: 2 });
  },
);

t.test('a batch whose time is over goes on listening', async (t) => {
  const layer = open(t);
  t.same(await layer.receiveMany('polled', { waitMs: 0 }), []);
  await listening('polled', 1);
  await layer.send('polled', numbered(1));
  await layer.send('polled', numbered(2));
  t.match(await layer.receiveMany('polled', { max: 1 }), [{ n: 1 }]);
  t.match(await layer.receiveMany('polled'), [{ n: 2 }]);
});

t.test('receives that are called off at random moments lose nothing and double nothing', async (t) => {
  const { seed } = new Random();
  t.comment(`SEED=${seed}`);
  const [a, b] = [open(t, { capacity: 5000 }), open(t)];
  const asks = cases(300);
  const channels = ['race.1', 'race.2', 'race.3', await a.newChannel(), await a.newChannel()];
  const callOffAll = async (channel: string, random: Random) => {
    const received: unknown[] = [];
    const note = (messages: readonly Received[]) => received.push(...messages.map(({ n }) => n));
    // Somebody else waits there all the time; else an abort would forget the channel.
    const done = new AbortController();
    const other = (async () => {
      for (;;) note([await a.receive(channel, { signal: done.signal })]);
    })().catch((error: unknown) => {
      if (!done.signal.aborted) throw error;
    });
    await listening(channel, 1);
    let sent = 0;
    for (let ask = 0; ask < asks; ask++) {
      const calledOff = new AbortController();
      const { signal } = calledOff;
      const isTimed = random.chance(0.3);
      const max = random.whole(1, 5);
      const waiting = a.receiveMany(channel, isTimed ? { max, waitMs: 0 } : { max, signal });
      const outcome = waiting.then(note, (error: unknown) => {
        if (!signal.aborted) throw error;
      });
      await turns(random.whole(0, 3));
      const batch = range(random.whole(0, 3)).map((k) => numbered(sent + k));
      sent += batch.length;
      const sending = b.sendMany(channel, batch);
      if (random.chance(0.3)) await sending;
      await turns(random.whole(0, 2));
      calledOff.abort();
      await Promise.all([sending, outcome]);
    }
    await until('all arrived', () => received.length >= sent);
    done.abort();
    await other;
    t.same(
      received.sort((x, y) => Number(x) - Number(y)),
      range(sent),
    );
    t.same(await a.receiveMany(channel, { waitMs: 0 }), []);
  };
  await Promise.all(channels.map((channel, i) => callOffAll(channel, new Random(seed + i))));
});

t.test(
  'connections that are killed come back with all subscriptions, and groups as they are by then',
  async (t) => {
    const layer = open(t);
    const [stays, leaves, joins] = [
      await layer.newChannel(),
      await layer.newChannel(),
      await layer.newChannel(),
    ];
    for (const channel of [stays, leaves]) await layer.groupAdd('killed', channel);
    const killConnections = async () => {
      await raw.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    };
    const isDone = async (call: Promise<unknown>) => {
      try {
        await call;
        return true;
      } catch (error) {
        if ((error as { code?: string }).code === 'CHANNELS_ERR_LAYER_UNAVAILABLE') return false;
        throw error;
      }
    };
    await killConnections();
    await until('one joined', () => isDone(layer.groupAdd('killed', joins)));
    await until('one left', () => isDone(layer.groupDiscard('killed', leaves)));
    await layer.groupDiscard('killed', await layer.newChannel());
    await killConnections();
    for (const name of ['asgi__group__killed', stays, leaves, joins]) await listening(name, 1);
    await until('the group is told', () => isDone(layer.groupSend('killed', numbered(1))));
    await layer.send(leaves, numbered(2));
    for (const channel of [stays, joins]) t.match(await receive(layer, channel), { n: 1 });
    t.match(await receive(layer, leaves), { n: 2 }, 'the only message');
  },
);

t.test('what is no message is dropped and told', async (t) => {
  const dropped: DroppedMessage[] = [];
  const layer = open(t, { symmetricEncryptionKeys: ['key'], onDrop: (drop) => dropped.push(drop) });
  const channel = await layer.newChannel();
  await raw.publish(channel, 'no token');
  await layer.send(channel, numbered(1));
  t.match(await receive(layer, channel), { n: 1 });
  t.match(dropped, [{ channel, reason: 'undecodable', error: { code: 'CHANNELS_ERR_UNDECODABLE' } }]);
});

t.test('what no layer accepts is refused', async (t) => {
  const layer = open(t);
  const channel = await layer.newChannel();
  const invalid = { code: 'CHANNELS_ERR_INVALID_NAME' };
  for (const name of ['', 'a b', 'a:b', 'é', 'a'.repeat(100)]) {
    await t.rejects(layer.send(name, numbered(1)), invalid);
    await t.rejects(layer.receive(name), invalid);
    await t.rejects(layer.groupAdd(name, channel), invalid);
    await t.rejects(layer.groupAdd('group', name), invalid);
  }
  await t.rejects(layer.newChannel('with space'), invalid);
  const noMessage = { type: 'test', date: new Date() };
  await t.rejects(layer.send(channel, noMessage), { code: 'CHANNELS_ERR_INVALID_MESSAGE' });
  await t.rejects(layer.groupSend('group', noMessage), { code: 'CHANNELS_ERR_INVALID_MESSAGE' });
  t.match(await layer.sendMany(channel, [noMessage, numbered(1)]), [{ accepted: false }, { accepted: true }]);
  t.match(await receive(layer, channel), { n: 1 });
  await t.rejects(layer.receive(channel, { lease: 1000 }), { code: 'CHANNELS_ERR_INVALID_OPTION' });
  t.notOk(layer.extensions.has('lease'));
});

t.test('flush forgets messages, groups and channels, and waiting goes on', async (t) => {
  const layer = open(t);
  const channel = await layer.newChannel();
  await layer.groupAdd('flushed', channel);
  const waiting = receive(layer, 'waiting');
  await listening('waiting', 1);
  await layer.flush();
  t.equal(await subscribers(channel), 0);
  t.equal(await subscribers('asgi__group__flushed'), 0);
  await layer.send('waiting', numbered(1));
  t.match(await waiting, { n: 1 });
});

t.test('close ends all waits and subscriptions, and everything is refused after it', async (t) => {
  const layer = open(t);
  const channel = await layer.newChannel();
  const closed = { code: 'CHANNELS_ERR_LAYER_CLOSED' };
  const waits = [channel, 'general.closed'].map((name) => t.rejects(layer.receive(name), closed));
  await Promise.all([layer.close(), layer.close()]);
  await Promise.all(waits);
  await listening(channel, 0);
  await t.rejects(layer.send('channel', numbered(1)), closed);
  await t.rejects(layer.receive('channel'), closed);
  await t.rejects(layer.newChannel(), closed);
  await t.rejects(layer.groupAdd('group', channel), closed);
  await t.rejects(layer.groupDiscard('group', channel), closed);
  await t.rejects(layer.groupSend('group', numbered(1)), closed);
  await t.rejects(layer.flush(), closed);
});

t.test('with two hosts each name lies on its own', async (t) => {
  const second = await RedisServer.start(t);
  const hosts = [server.url, second.url];
  const [a, b] = [open(t, { hosts, prefix: 'sharded' }), open(t, { hosts, prefix: 'sharded' })];
  const waits = ['chat', 'jobs'].map((channel) => receive(a, channel));
  // By wire.json: chat lies on the first of two, jobs on the second.
  await listening('chat', 1);
  await listening('jobs', 1, second.client(t));
  await b.send('jobs', numbered(2));
  await b.send('chat', numbered(1));
  t.match(await Promise.all(waits), [{ n: 1 }, { n: 2 }]);
  for (let n = 0; n < 10; n++) {
    const channel = await a.newChannel();
    await a.groupAdd(`group${n}`, channel);
    await b.send(channel, numbered(n));
    t.match(await receive(a, channel), { n });
    await b.groupSend(`group${n}`, numbered(n));
    t.match(await receive(a, channel), { n });
  }
});

t.test('receivers wait through a restart of Redis and are told of it', async (t) => {
  const own = await RedisServer.start(t);
  const changes: ConnectionChange[] = [];
  const layer = open(t, { hosts: [own.url], onConnection: (change) => changes.push(change) });
  const channel = await layer.newChannel();
  await layer.groupAdd('room', channel);
  await layer.send('nobody', numbered(0));
  const waits = [receive(layer, channel), receive(layer, 'general')];
  await listening('general', 1, own.client(t));
  await own.kill();
  await until('it is told', () => changes.length === 1);
  await own.restart();
  await until('it is told', () => changes.length === 2);
  t.match(changes, [
    { connected: false, host: `127.0.0.1:${own.port}`, error: { code: 'CHANNELS_ERR_LAYER_UNAVAILABLE' } },
    { connected: true, host: `127.0.0.1:${own.port}` },
  ]);
  await layer.groupSend('room', numbered(1));
  await layer.send('general', numbered(2));
  t.match(await Promise.all(waits), [{ n: 1 }, { n: 2 }]);
});

t.test('without Redis calls fail and leave nothing behind, a receive waits', async (t) => {
  const own = await RedisServer.start(t);
  await own.kill();
  const layer = open(t, { hosts: [own.url], timeoutMs: 100 });
  const away = { code: 'CHANNELS_ERR_LAYER_UNAVAILABLE', reason: 'unreachable' };
  const waiting = receive(layer, 'general');
  await t.rejects(layer.send('general', numbered(0)), away);
  await t.rejects(layer.newChannel(), away);
  await t.rejects(layer.groupAdd('room', 'general'), away);
  await own.restart();
  await listening('general', 1, own.client(t));
  t.same(await own.client(t).pubsub('CHANNELS'), ['general']);
  await until('it can be sent', async () => {
    try {
      await layer.send('general', numbered(1));
      return true;
    } catch (error) {
      if ((error as { code?: string }).code === away.code) return false;
      throw error;
    }
  });
  t.match(await waiting, { n: 1 });
});

t.test('a server that hangs is noticed though nobody sends', async (t) => {
  const own = await RedisServer.start(t);
  const changes: boolean[] = [];
  const layer = open(t, {
    hosts: [own.url],
    timeoutMs: 300,
    onConnection: ({ connected }) => changes.push(connected),
  });
  const channel = await layer.newChannel();
  const waiting = receive(layer, channel);
  own.pause();
  await until('it is told', () => changes.length === 1);
  own.continue();
  await until('it is told', () => changes.length === 2);
  t.same(changes, [false, true]);
  await own.client(t).publish(channel, Buffer.from('gaFuAQ==', 'base64'));
  t.match(await waiting, { n: 1 });
});

t.test('who may not subscribe is told so at once', async (t) => {
  const own = await RedisServer.start(t);
  await own.client(t).call('ACL', 'SETUSER', 'some', 'on', '>pass', '+@all', '~*', '&open*');
  const layer = open(t, { hosts: [`redis://some:pass@127.0.0.1:${own.port}`], prefix: 'closed' });
  const denied = { code: 'CHANNELS_ERR_LAYER_UNAVAILABLE', reason: 'access-denied' };
  await t.rejects(layer.receive('general'), denied);
  await t.rejects(layer.receive('general'), denied, 'as often as it is tried');
  await t.rejects(layer.newChannel(), denied);
  const waiting = receive(layer, 'open.one');
  await listening('open.one', 1, own.client(t));
  await layer.send('open.one', numbered(1));
  t.match(await waiting, { n: 1 });
  const wrong = open(t, { hosts: [`redis://some:wrong@127.0.0.1:${own.port}`] });
  await t.rejects(wrong.receive('general'), denied);
});
