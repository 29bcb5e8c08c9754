// What the layer puts on Redis, against what channels_redis was seen to put there, and how it takes what peers put.

import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { decode, encode } from '../../../../channels/codec/msgpack.js';
import type { DroppedMessage } from '../../../../channels/layer.js';
import { Connection } from '../../../../channels/layers/redis/connection/connection.js';
import { parseHosts } from '../../../../channels/layers/redis/connection/hosts.js';
import { InflightWatch } from '../../../../channels/layers/redis/inflight.js';
import { RedisChannelLayer, type RedisLayerOptions } from '../../../../channels/layers/redis/layer.js';
import { patientMs } from '../../../support/patience.js';
import { RedisServer } from '../../../support/redis.js';
import { fromTagged, withoutFloats } from '../../../support/tagged-values.js';

interface KeyOnServer {
  readonly key: string;
  readonly type: string;
  readonly ttl: number;
  readonly entries: ReadonlyArray<{ readonly member?: string; readonly decoded?: unknown }>;
}
interface Live {
  readonly names: Readonly<Record<string, string>>;
  readonly steps: ReadonlyArray<{ step: string; error?: string; result?: unknown; keys: KeyOnServer[] }>;
  readonly other_settings: ReadonlyArray<{
    config: Record<string, unknown>;
    channel: string;
    keys: KeyOnServer[];
  }>;
}
const { live }: { live: Live } = JSON.parse(
  readFileSync(new URL('../../../vectors/wire.json', import.meta.url), 'utf8'),
);

const server = await RedisServer.start(t);
let prefixes = 0;

function open(t: Test, options: RedisLayerOptions = {}): RedisChannelLayer {
  const layer = new RedisChannelLayer({ hosts: [server.url], timeoutMs: patientMs, ...options });
  t.teardown(() => layer.close());
  return layer;
}

function newPrefix(): string {
  return `wire${++prefixes}:`;
}

t.test('the same calls leave the same keys, types, TTLs and messages as those of the original', async (t) => {
  const raw = server.client(t);
  const [a, b] = [open(t, { capacity: 3 }), open(t, { capacity: 3 })];
  const own = {
    a1: await a.newChannel(),
    a2: await a.newChannel('ws'),
    a3: await a.newChannel(),
    b1: await b.newChannel(),
  };
  // The step in which a Python process dies is one of a normal receive here, and the next one is then left out.
  const actions: ReadonlyArray<(() => Promise<unknown>) | undefined> = [
    () => a.send('chat', { type: 'chat.message', ...{ text: 'hello' } }),
    () => a.send(own.a1, { type: 'direct', ...{ n: 1 } }),
    () => b.send(own.a1, { type: 'direct', ...{ n: 2 } }),
    () => a.groupAdd('room', 'chat'),
    () => a.groupAdd('room', own.a1),
    () => a.groupAdd('room', own.b1),
    () => a.groupAdd('room', own.a2),
    () => a.groupAdd('room', own.a3),
    () => b.groupSend('room', { type: 'room.event', ...{ data: new Uint8Array([0, 255]), n: 7 } }),
    () => b.send(own.a1, { type: 'direct', ...{ n: 3 } }),
    () => b.groupSend('room', { type: 'room.event', ...{ n: 8 } }),
    () => a.receive(own.a1),
    () => a.receive(own.a3),
    () => a.receive(own.a1),
    () => a.groupDiscard('room', 'chat'),
    () => b.receive('chat'),
    undefined,
    () => a.flush(),
  ];
  t.equal(live.steps.length, actions.length);
  const renamed = rename(live.names, own);
  for (const [i, { step, error, result, keys }] of live.steps.entries()) {
    const outcome = await actions[i]?.().catch((refusal: unknown) => refusal);
    if (error === 'ChannelFull') t.match(outcome, { code: 'CHANNELS_ERR_CHANNEL_FULL' }, step);
    else if (actions[i] !== undefined)
      t.strictSame(outcome, result === undefined ? undefined : withoutFloats(fromTagged(result)), step);
    const dies = actions[i + 1] === undefined && actions[i] !== undefined && i < actions.length - 1;
    if (!dies)
      t.strictSame(await keysOnServer(raw, '*', 12), keys.map(renamed).sort(byKey), `keys after ${step}`);
  }
});

t.test('other settings leave the keys that the original leaves', async (t) => {
  const raw = server.client(t);
  for (const { config, channel, keys } of live.other_settings) {
    if (config.serializer_format !== undefined) continue;
    const options = {
      prefix: config.prefix as string | undefined,
      randomPrefixLength: config.random_prefix_length as number | undefined,
      expiry: config.expiry as number | undefined,
      groupExpiry: config.group_expiry as number | undefined,
    };
    const layer = open(t, options);
    const own = await layer.newChannel();
    await layer.send('chat', { type: 'x' });
    await layer.groupAdd('room', own);
    await layer.groupSend('room', { type: 'y' });
    const found = await keysOnServer(raw, '*', options.randomPrefixLength ?? 12);
    t.strictSame(found, keys.map(rename({ a1: channel }, { a1: own })).sort(byKey), JSON.stringify(config));
    await layer.flush();
  }
});

t.test('scores are the time of sending in seconds, and rise in the order of acceptance', async (t) => {
  const prefix = newPrefix();
  let now = 1_800_000_000_123;
  const layer = open(t, { prefix, now: () => now });
  const raw = server.client(t);
  for (let n = 0; n < 3; n++) await layer.send('chat', { type: 'x' });
  now -= 500;
  await layer.send('chat', { type: 'from a clock half a second behind' });
  now -= 5000;
  await layer.send('chat', { type: 'from a clock far behind' });
  const scores = (await raw.zrange(`${prefix}chat`, 0, '-1', 'WITHSCORES')).filter((_, i) => i % 2 === 1);
  t.same(
    scores.map((score) => Number(score).toFixed(6)),
    ['1799999994.623000', '1800000000.123000', '1800000000.123001', '1800000000.123002', '1800000000.123003'],
  );
});

t.test('a process that dies while it sends leaves no key without a TTL', async (t) => {
  const prefix = newPrefix();
  const layer = open(t, { prefix, expiry: 0.5 });
  await layer.send('chat', { type: 'x' });
  await layer.groupAdd('room', 'chat');
  await layer.groupSend('room', { type: 'x' });
  const raw = server.client(t);
  t.ok((await raw.pttl(`${prefix}chat`)) > 0, 'half a second is a TTL as well');
  t.equal(toTenSeconds(await raw.ttl(`${prefix}:group:room`)), 86_400);
});

t.test(
  'what is no message is dropped, counted with its channel, and what follows is delivered',
  async (t) => {
    const prefix = newPrefix();
    const dropped: DroppedMessage[] = [];
    const layer = open(t, { prefix, onDrop: (drop) => dropped.push(drop) });
    const raw = server.client(t);
    const own = await layer.newChannel();
    const processKey = own.slice(0, own.indexOf('!') + 1);
    const garbage = [
      Buffer.from('short'),
      Buffer.from('012345678901\xc1', 'latin1'),
      member([1, 2]),
      member(new Map([[new Uint8Array([1]), 1]])),
      member({ text: 'x', more: 1 }, 1),
    ];
    for (const [channel, key] of [
      ['chat', 'chat'],
      [own, processKey],
    ] as const) {
      dropped.length = 0;
      const bad = channel === own ? [...garbage, member({ __asgi_channel__: 'another.process!x' })] : garbage;
      for (const [i, bytes] of bad.entries())
        await raw.zadd(prefix + key, Date.now() / 1000 + i / 1000, bytes);
      const waiting = layer.receive(channel);
      await layer.send(channel, { type: 'good' });
      t.strictSame(await waiting, { type: 'good' });
      t.equal(dropped.length, bad.length);
      for (const drop of dropped)
        t.match(drop, { channel: key, reason: 'undecodable', error: { code: 'CHANNELS_ERR_UNDECODABLE' } });
    }
  },
);

t.test('a message for a process without a channel is received under the name that ends in !', async (t) => {
  const prefix = newPrefix();
  const layer = open(t, { prefix });
  const own = await layer.newChannel();
  const processKey = own.slice(0, own.indexOf('!') + 1);
  await server.client(t).zadd(prefix + processKey, Date.now() / 1000, member({ type: 'x' }));
  t.strictSame(await layer.receive(processKey), { type: 'x' });
});

t.test('a channel name that only Python accepts disturbs no group', async (t) => {
  const prefix = newPrefix();
  const layer = open(t, { prefix });
  const raw = server.client(t);
  const names = ['chat\n', 'chat٣', 'specific.x!日本', 'chat'];
  for (const [i, name] of names.entries())
    await raw.zadd(`${prefix}:group:room`, Date.now() / 1000 + i, name);
  await layer.groupSend('room', { type: 'x' });
  t.strictSame(await layer.receive('chat'), { type: 'x' });
  for (const key of ['chat\n', 'chat٣', 'specific.x!']) t.equal(await raw.zcard(prefix + key), 1, key);
});

t.test('an expired message is dropped when it is received, and counted', async (t) => {
  const prefix = newPrefix();
  const dropped: DroppedMessage[] = [];
  const layer = open(t, { prefix, expiry: 10, onDrop: (drop) => dropped.push(drop) });
  const raw = server.client(t);
  await raw.zadd(`${prefix}chat`, Date.now() / 1000 - 11, member({ type: 'old' }));
  await raw.zadd(`${prefix}chat`, Date.now() / 1000 - 8, member({ type: 'young' }));
  t.strictSame(await layer.receive('chat'), { type: 'young' });
  t.same(dropped, [{ channel: 'chat', reason: 'expired' }]);
});

t.test('a receive blocks once for long and asks nothing meanwhile', async (t) => {
  const prefix = newPrefix();
  const layer = open(t, { prefix, blockMs: 60_000 });
  const monitor = await server.client(t).monitor();
  t.teardown(() => monitor.disconnect());
  const commands: string[][] = [];
  monitor.on('monitor', (_time: string, args: string[]) => commands.push(args));
  const waiting = layer.receive('idle');
  await blocked(server.client(t), 1);
  await layer.send('idle', { type: 'x' });
  await waiting;
  const reads = commands.filter(([name]) => name?.toLowerCase() === 'bzpopmin');
  t.same(
    reads.map((args) => args.slice(2, -1)),
    [[`${prefix}:again:idle`, `${prefix}idle`]],
  );
  const seconds = Number(reads[0]?.at(-1));
  t.ok(seconds > 1 && seconds <= 60, `${seconds} s`);
});

t.test('an aborted receive leaves no blocked read behind', async (t) => {
  const layer = open(t, { prefix: newPrefix() });
  const raw = server.client(t);
  const controller = new AbortController();
  const waiting = layer.receive('idle', { signal: controller.signal });
  await blocked(raw, 1);
  controller.abort(new Error('enough'));
  await t.rejects(waiting, { message: 'enough' });
  await blocked(raw, 0);
});

t.test('what Redis gave out in the moment of an abort is put back with its score and a TTL', async (t) => {
  const prefix = newPrefix();
  const layer = open(t, { prefix });
  const raw = server.client(t);
  const controller = new AbortController();
  const waiting = layer.receive('chat', { signal: controller.signal });
  await blocked(raw, 1);
  const score = String(Math.floor(Date.now() / 1000) - 5);
  // Nothing of ours runs while this does, so the message is on its way to us when the receive is aborted.
  server.runSynchronously(['ZADD', `${prefix}chat`, score], member({ type: 'x' }));
  controller.abort(new Error('enough'));
  await t.rejects(waiting, { message: 'enough' });
  await until(async () => (await raw.zcard(`${prefix}chat`)) === 1);
  const [, found] = await raw.zrange(`${prefix}chat`, 0, '-1', 'WITHSCORES');
  t.equal(Number(found), Number(score));
  t.equal(toTenSeconds(await raw.ttl(`${prefix}chat`)), 60);
  t.strictSame(await layer.receive('chat'), { type: 'x' });
});

t.test('what Redis gave out in the moment of an abort goes to the next who waits here', async (t) => {
  const prefix = newPrefix();
  const layer = open(t, { prefix });
  const controller = new AbortController();
  const aborted = layer.receive('chat', { signal: controller.signal });
  await blocked(server.client(t), 1);
  server.runSynchronously(['ZADD', `${prefix}chat`, String(Date.now() / 1000)], member({ type: 'x' }));
  controller.abort();
  const next = layer.receive('chat');
  await t.rejects(aborted);
  t.strictSame(await next, { type: 'x' });
});

t.test('what Redis gave out in the moment of an abort is there for who asks for what is there', async (t) => {
  const prefix = newPrefix();
  const layer = open(t, { prefix });
  const raw = server.client(t);
  for (let n = 0; n < 5; n++) {
    const controller = new AbortController();
    const waiting = layer.receive('chat', { signal: controller.signal });
    await blocked(raw, 1);
    const failed = t.rejects(waiting);
    controller.abort();
    // Comes before the server hears of the abort.
    server.runSynchronously(['ZADD', `${prefix}chat`, String(Date.now() / 1000)], member({ type: 'x' }));
    t.match(await layer.receiveMany('chat', { waitMs: 0 }), [{ type: 'x' }]);
    await failed;
  }
});

t.test('what a dead Python peer left is given back, what a live one works on is not', async (t) => {
  const prefix = newPrefix();
  const raw = server.client(t);
  const [key, backup] = [`${prefix}chat`, `${prefix}chat$inflight`];
  const [address] = parseHosts([server.url], prefix);
  if (address === undefined) throw new RangeError('no address');
  const commands = new Connection({ address, timeoutMs: 5000, replyWithinMs: 5000 });
  t.teardown(() => commands.close());
  const watch = new InflightWatch(commands, key, 60_000);
  const left = member({ type: 'left' });
  await raw.zadd(backup, '1800000000.123456', left);
  await watch.look();
  t.equal(await raw.zcard(backup), 1, 'seen once');
  await raw.zadd(backup, 1_800_000_001, member({ type: 'just popped' }));
  await watch.look();
  t.equal(await raw.zcard(backup), 1, 'the other one was seen for the first time');
  t.same(await raw.zrangeBuffer(key, 0, '-1'), [left]);
  t.equal(Number(await raw.zscore(key, left)), 1_800_000_000.123456);
  t.equal(toTenSeconds(await raw.ttl(key)), 60);
});

t.test(
  'flush takes no keys of another type, and glob characters in the prefix mean themselves',
  async (t) => {
    const raw = server.client(t);
    const layer = open(t, { prefix: 'a[b]*c?' });
    await layer.send('chat', { type: 'x' });
    await raw.set('a[b]*c?string', 'foreign');
    await raw.zadd('abxxcx', 1, 'foreign');
    for (let n = 0; n < 2500; n++) await raw.zadd(`a[b]*c?${n}`, 1, 'x');
    await layer.flush();
    t.same((await raw.keys('a*')).sort(), ['a[b]*c?string', 'abxxcx']);
    await raw.del('a[b]*c?string', 'abxxcx');
  },
);

t.test('a server that forgot the scripts is sent them again', async (t) => {
  const layer = open(t, { prefix: newPrefix() });
  await layer.send('chat', { type: 'x' });
  await server.client(t).script('FLUSH');
  await Promise.all([1, 2, 3].map(() => layer.send('chat', { type: 'x' })));
  for (let n = 0; n < 4; n++) t.strictSame(await layer.receive('chat'), { type: 'x' });
});

/** A member as a peer would write it, with a random prefix of 12 bytes or another length. */
function member(message: unknown, prefixLength = 12): Buffer {
  return Buffer.concat([Buffer.alloc(prefixLength, 0xfe), encode(message)]);
}

/** Waits until so many clients are blocked. */
async function blocked(raw: Redis, count: number): Promise<void> {
  await until(async () => (await raw.info('clients')).includes(`blocked_clients:${count}\r\n`));
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

/** A TTL as it was set, since the test takes a while, too. In seconds. */
function toTenSeconds(ttl: number): number {
  return Math.ceil(ttl / 10) * 10;
}

async function keysOnServer(raw: Redis, pattern: string, randomPrefixLength: number): Promise<KeyOnServer[]> {
  const keys = await raw.keys(pattern);
  const found = await Promise.all(
    keys.map(async (key) => {
      const members = await raw.zrangeBuffer(key, 0, '-1');
      const entries = members.map((bytes) =>
        key.includes(':group:')
          ? { member: bytes.toString() }
          : { decoded: decode(bytes.subarray(randomPrefixLength)) },
      );
      return { key, type: await raw.type(key), ttl: toTenSeconds(await raw.ttl(key)), entries };
    }),
  );
  return found.sort(byKey);
}

function byKey(a: KeyOnServer, b: KeyOnServer): number {
  return a.key < b.key ? -1 : 1;
}

/** Puts this run's names in the place of the recorded ones, and leaves out what no two runs have in common. */
function rename(recorded: Readonly<Record<string, string>>, own: Readonly<Record<string, string>>) {
  const upTo = (text: string) => text.slice(0, text.indexOf('!') + 1);
  const names = Object.entries(own).map(([name, mine]) => [recorded[name] ?? '', mine] as const);
  // Full names first: what is left of their processes' names are keys.
  const pairs = [...names, ...names.map(([theirs, mine]) => [upTo(theirs), upTo(mine)] as const)];
  return (found: KeyOnServer): KeyOnServer => {
    let text = JSON.stringify(found);
    for (const [theirs, mine] of pairs) text = text.replaceAll(theirs, mine);
    const { key, type, ttl, entries }: KeyOnServer = JSON.parse(text);
    return {
      key,
      type,
      ttl: toTenSeconds(ttl),
      entries: entries.map(({ member, decoded }) =>
        member === undefined ? { decoded: withoutFloats(fromTagged(decoded)) } : { member },
      ),
    };
  };
}
