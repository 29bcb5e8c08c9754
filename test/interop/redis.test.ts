import t from 'tap';
import { Float } from '../../channels/codec/msgpack.js';
import { RedisChannelLayer } from '../../channels/layers/redis/layer.js';
import { patientMs } from '../support/patience.js';
import { PythonPeer } from '../support/python-peer.js';
import { RedisServer } from '../support/redis.js';

const server = await RedisServer.start(t);
let prefixes = 0;

/** A layer of ours and one of Python's on the same keys. */
async function pair(t: Parameters<typeof PythonPeer.start>[0], capacity = 100) {
  const prefix = `interop${++prefixes}:`;
  const ours = new RedisChannelLayer({
    hosts: [server.url],
    prefix,
    capacity,
    timeoutMs: patientMs,
  });
  t.teardown(() => ours.close());
  const options = ['--prefix', prefix, '--capacity', String(capacity)];
  return { ours, theirs: await PythonPeer.start(t, server.url, options), prefix };
}

const message = {
  type: 'chat.message',
  text: 'Tere õhtust, 日本 😀',
  bytes: new Uint8Array([0, 1, 254, 255]),
  integers: [0, 127, 128, 255, 256, 65_536, 2 ** 32, -1, -33, -32_769, Number.MAX_SAFE_INTEGER],
  large: [2n ** 53n, 2n ** 64n - 1n, -(2n ** 63n)],
  floats: [0.1, -1.5e300, 5e-324],
  nested: { list: [null, true, [{ võti: 'väärtus' }]], empty: {} },
  long: 'õ'.repeat(70_000),
};

t.test('all kinds of values cross a general channel, both ways', async (t) => {
  const { ours, theirs } = await pair(t);
  await ours.send('chat', message);
  t.strictSame(await theirs.receive('chat'), message, 'to Python');
  await theirs.send('chat', message);
  t.strictSame(await ours.receive('chat'), message, 'from Python');
});

t.test('a waiting receiver is woken by the other language', async (t) => {
  const { ours, theirs } = await pair(t);
  for (let n = 0; n < 5; n++) {
    const atOurs = ours.receive('to.ours');
    const atTheirs = theirs.receive('to.theirs');
    await theirs.send('to.ours', { type: 'x', n });
    await ours.send('to.theirs', { type: 'x', n });
    t.strictSame(await atOurs, { type: 'x', n });
    t.strictSame(await atTheirs, { type: 'x', n });
  }
});

t.test('a wrapped whole number arrives in Python as a float, a plain one as an integer', async (t) => {
  const { ours, theirs } = await pair(t);
  await ours.send('numbers', { type: 'x', float: new Float(2), integer: 2, big: 5n });
  // Sent on by Python as it was received, so that we see the types that it had there.
  const raw = server.client(t);
  const [member] = await raw.zrangeBuffer(`interop${prefixes}:numbers`, 0, '-1');
  const types = ['float', 'integer', 'big'].map((key) => {
    const at = member?.indexOf(key) ?? -1;
    return member?.at(at + key.length);
  });
  t.same(types, [0xcb, 2, 5]);
  t.strictSame(await theirs.receive('numbers'), { type: 'x', float: 2, integer: 2, big: 5 });
});

t.test('specific channels are reached from the other language', async (t) => {
  const { ours, theirs } = await pair(t);
  const [ourChannel, otherOfOurs, theirChannel] = [
    await ours.newChannel(),
    await ours.newChannel(),
    await theirs.newChannel(),
  ];
  const atOther = ours.receive(otherOfOurs);
  await theirs.send(ourChannel, message);
  await ours.send(theirChannel, message);
  await theirs.send(otherOfOurs, { type: 'other' });
  t.strictSame(await ours.receive(ourChannel), message);
  t.strictSame(await theirs.receive(theirChannel), message);
  t.strictSame(await atOther, { type: 'other' });
});

t.test('a group has members of both languages, and either adds, sends and removes', async (t) => {
  const { ours, theirs } = await pair(t);
  const members = {
    general: 'chat',
    first: await ours.newChannel(),
    second: await ours.newChannel(),
    theirs: await theirs.newChannel(),
  };
  await ours.groupAdd('room', members.general);
  await theirs.groupAdd('room', members.first);
  await ours.groupAdd('room', members.second);
  await ours.groupAdd('room', members.theirs);
  const send = [
    (text: object) => ours.groupSend('room', { type: 'room.event', ...text }),
    (text: object) => theirs.groupSend('room', { type: 'room.event', ...text }),
  ];
  for (const [n, groupSend] of send.entries()) {
    await groupSend({ n });
    const expected = { type: 'room.event', n };
    t.strictSame(await ours.receive(members.first), expected);
    t.strictSame(await ours.receive(members.second), expected);
    t.strictSame(await theirs.receive(members.theirs), expected);
    t.strictSame(await (n === 0 ? theirs : ours).receive(members.general), expected);
  }
  await theirs.groupDiscard('room', members.first);
  await ours.groupDiscard('room', members.theirs);
  await ours.groupSend('room', { type: 'last' });
  await ours.send(members.first, { type: 'direct' });
  await ours.send(members.theirs, { type: 'direct' });
  t.strictSame(await ours.receive(members.first), { type: 'direct' });
  t.strictSame(await theirs.receive(members.theirs), { type: 'direct' });
  t.strictSame(await ours.receive(members.second), { type: 'last' });
});

t.test('either language sees that a channel is full', async (t) => {
  const { ours, theirs } = await pair(t, 2);
  await ours.send('full', { type: 'x' });
  await theirs.send('full', { type: 'x' });
  await t.rejects(ours.send('full', { type: 'x' }), { code: 'CHANNELS_ERR_CHANNEL_FULL' });
  await t.rejects(theirs.send('full', { type: 'x' }), { code: 'ChannelFull' });
});

t.test('messages of both languages come out in the order of sending', async (t) => {
  const { ours, theirs } = await pair(t);
  for (let n = 0; n < 20; n++) await (n % 2 === 0 ? ours : theirs).send('ordered', { type: 'x', n });
  const order = [];
  for (let n = 0; n < 20; n++) order.push((await ours.receive('ordered')).n);
  t.same(
    order,
    order.map((_, n) => n),
  );
});

t.test('receivers of both languages share a channel and nothing is lost', async (t) => {
  const { ours, theirs } = await pair(t, 1000);
  const total = 200;
  const seen = new Set<unknown>();
  const done = new AbortController();
  const note = (received: unknown) => {
    seen.add((received as { n: unknown }).n);
    if (seen.size === total) done.abort();
  };
  const atOurs = (async () => {
    while (!done.signal.aborted) note(await ours.receive('shared', { signal: done.signal }));
  })().catch((error: unknown) => {
    if (!done.signal.aborted) throw error;
  });
  const atTheirs = (async () => {
    while (!done.signal.aborted) note(await theirs.receive('shared'));
  })();
  for (let n = 0; n < total; n++) await (n % 2 === 0 ? ours : theirs).send('shared', { type: 'x', n });
  await atOurs;
  // Python's receive cannot be called off from here.
  await ours.send('shared', { type: 'x', n: -1 });
  await atTheirs;
  t.equal([...seen].filter((n) => Number(n) >= 0).length, total);
});

t.test('what either flushes is gone for the other', async (t) => {
  const { ours, theirs, prefix } = await pair(t);
  const raw = server.client(t);
  await theirs.send('chat', { type: 'x' });
  await theirs.groupAdd('room', 'chat');
  await ours.flush();
  t.same(await raw.keys(`${prefix}*`), []);
  await ours.send('chat', { type: 'x' });
  await ours.groupAdd('room', 'chat');
  await theirs.flush();
  t.same(await raw.keys(`${prefix}*`), []);
  await ours.send('chat', { type: 'after' });
  t.strictSame(await theirs.receive('chat'), { type: 'after' });
});
