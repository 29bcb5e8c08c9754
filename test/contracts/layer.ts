// What every channel layer promises, as tests. Each layer's test file runs them with its own medium.

import { type DroppedMessage, type Message, messageKey, type Received } from '../../channels/index.js';
import { turns } from '../support/until.js';
import {
  asBytes,
  type Contract,
  isAccepted,
  type LayerContractOptions,
  numbered,
  range,
  receive,
  remaining,
  runContract,
  settableClock,
} from './run.js';

/** Runs the contract as one tap test called `name`. */
export function layerContract(name: string, options: LayerContractOptions): void {
  runContract(name, contract, options);
}

const values: Readonly<Record<string, unknown>> = {
  text: 'plain',
  empty: '',
  nonAscii: 'Tere õhtust, 日本 😀',
  longText: 'x'.repeat(70_000),
  zero: 0,
  negative: -1,
  int8: [127, 128, 255, 256, -32, -33, -128, -129],
  int32: [65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, -(2 ** 31), -(2 ** 31) - 1],
  safe: [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  big: [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)],
  floats: [1.5, -0.1, 5e-324, 1.7976931348623157e308, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  flags: [true, false],
  nothing: null,
  list: [[], [[]], [1, ['two', { three: [null] }]]],
  map: { a: { b: { c: {} } }, 'key with spaces': 1, võti: 2 },
};

const contract: Contract = {
  async 'all kinds of values arrive as they were sent'(t, open) {
    const layer = await open();
    await layer.send('values', { type: 'test.values', ...values });
    t.strictSame({ ...(await receive(layer, 'values')) }, { type: 'test.values', ...values });
  },

  async 'bytes arrive as bytes'(t, open) {
    const layer = await open();
    const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i % 256);
    const message = { type: 'test.bytes', bytes, empty: new Uint8Array(), part: bytes.subarray(3, 6) };
    await layer.send('bytes', message);
    const received = await receive(layer, 'bytes');
    t.ok(bytes.every((byte, i) => asBytes(received.bytes)[i] === byte));
    t.equal(asBytes(received.bytes).length, bytes.length);
    t.equal(asBytes(received.empty).length, 0);
    t.same([...asBytes(received.part)], [3, 4, 5]);
  },

  async 'not a number arrives as not a number'(t, open) {
    const layer = await open();
    await layer.send('nan', { type: 'test.nan', value: Number.NaN });
    t.ok(Number.isNaN((await receive(layer, 'nan')).value));
  },

  async 'an undefined property is not sent'(t, open) {
    const layer = await open();
    await layer.send('undefined', { type: 'test.undefined', value: undefined, map: { a: undefined } });
    const received = await receive(layer, 'undefined');
    t.same(Object.keys(received), ['type', 'map']);
    t.same(Object.keys(received.map as object), []);
  },

  async 'a message that no consumer would take is delivered as it is'(t, open) {
    const layer = await open();
    for (const message of [{}, { kind: 'test' }, { type: 5 }, { type: null, x: 1 }]) {
      await layer.send('odd', message as unknown as Message);
      t.strictSame({ ...(await receive(layer, 'odd')) }, message);
    }
  },

  async 'what cannot be sent is refused and nothing is written'(t, open) {
    const layer = await open();
    const cyclic: { type: string; self?: unknown } = { type: 'test.cyclic' };
    cyclic.self = cyclic;
    const refused: Record<string, unknown> = {
      null: null,
      undefined: undefined,
      text: 'text',
      number: 5,
      list: [{ type: 'test' }],
      bytes: new Uint8Array(3),
      date: new Date(),
      function: { type: 'test', value: () => 1 },
      symbol: { type: 'test', value: Symbol('test') },
      'date inside': { type: 'test', value: new Date() },
      'set inside': { type: 'test', value: new Set([1]) },
      'instance inside': { type: 'test', value: new (class Thing {})() },
      'undefined in a list': { type: 'test', value: [undefined] },
      'integer above 64 bits': { type: 'test', value: 2n ** 64n },
      'integer below 64 bits': { type: 'test', value: -(2n ** 63n) - 1n },
      'half a surrogate pair': { type: 'test', value: 'a\ud800b' },
      'half a surrogate pair in a key': { type: 'test', '\udc00': 1 },
      'a getter that throws': {
        type: 'test',
        get value() {
          throw new Error('broken');
        },
      },
      'reserved key': { type: 'test', __asgi_channel__: 'other' },
      cyclic,
    };
    await layer.groupAdd('group', 'checked');
    for (const [what, message] of Object.entries(refused)) {
      const expected = { code: 'CHANNELS_ERR_INVALID_MESSAGE' };
      await t.rejects(layer.send('checked', message as Message), expected, what);
      await t.rejects(layer.groupSend('group', message as Message), expected, `${what} to a group`);
    }
    t.same(await remaining(layer, 'checked'), []);
  },

  async 'a key named __proto__ changes no prototype'(t, open) {
    const layer = await open();
    const message: Message = JSON.parse(
      '{"type":"test","__proto__":{"polluted":1},"map":{"__proto__":{"polluted":1}}}',
    );
    await layer.send('proto', message);
    const received = await receive(layer, 'proto');
    t.equal(received.polluted, undefined);
    t.equal((received.map as Received).polluted, undefined);
    t.equal((Object.prototype as Received).polluted, undefined);
  },

  async 'invalid names are refused everywhere'(t, open) {
    const layer = await open();
    const message = { type: 'test' };
    const expected = { code: 'CHANNELS_ERR_INVALID_NAME' };
    const invalid = ['', 'a b', 'a/b', 'a:b', 'a\n', 'é', 'a!b!c', '!a', 'a'.repeat(100), undefined, 5];
    for (const name of invalid as string[]) {
      await t.rejects(layer.send(name, message), expected);
      await t.rejects(layer.receive(name), expected);
      await t.rejects(layer.groupAdd('group', name), expected);
      await t.rejects(layer.groupAdd(name, 'channel'), expected);
      await t.rejects(layer.groupDiscard('group', name), expected);
      await t.rejects(layer.groupDiscard(name, 'channel'), expected);
      await t.rejects(layer.groupSend(name, message), expected);
    }
    await t.rejects(layer.groupSend('with!bang', message), expected);
    await t.rejects(layer.newChannel('with space'), expected);
    await t.rejects(layer.newChannel('with!bang'), expected);
    await t.rejects(layer.newChannel('x'.repeat(50)), expected, 'the whole name would be too long');
  },

  async 'messages come out in the order they went in'(t, open) {
    const layer = await open({ capacity: 1000 });
    for (let n = 0; n < 200; n++) await layer.send('ordered', numbered(n));
    const order = [];
    for (let n = 0; n < 200; n++) order.push((await receive(layer, 'ordered')).n);
    t.same(order, range(200));
  },

  async 'sends that are not waited for keep their order too'(t, open) {
    const layer = await open({ capacity: 1000 });
    await Promise.all(range(200).map((n) => layer.send('ordered', numbered(n))));
    const order = [];
    for (let n = 0; n < 200; n++) order.push((await receive(layer, 'ordered')).n);
    t.same(order, range(200));
  },

  async 'equal messages are not made one'(t, open) {
    const layer = await open();
    for (let n = 0; n < 5; n++) await layer.send('equal', numbered(1));
    for (let n = 0; n < 5; n++) t.match(await receive(layer, 'equal'), { n: 1 });
  },

  async 'channels do not mix'(t, open) {
    const layer = await open();
    await layer.send('one', numbered(1));
    await layer.send('two', numbered(2));
    await layer.send('One', numbered(3));
    t.match(await receive(layer, 'two'), { n: 2 });
    t.match(await receive(layer, 'One'), { n: 3 });
    t.match(await receive(layer, 'one'), { n: 1 });
  },

  async 'a full channel refuses the sender and keeps what it has'(t, open) {
    const layer = await open({ capacity: 3 });
    for (let n = 0; n < 3; n++) await layer.send('full', numbered(n));
    await t.rejects(layer.send('full', numbered(3)), {
      code: 'CHANNELS_ERR_CHANNEL_FULL',
      channel: 'full',
      capacity: 3,
    });
    await layer.send('other', numbered(0));
    t.match(await receive(layer, 'full'), { n: 0 });
    await layer.send('full', numbered(4));
    const rest = [];
    for (let i = 0; i < 3; i++) rest.push((await receive(layer, 'full')).n);
    t.same(rest, [1, 2, 4]);
  },

  async 'capacity is exact when many send at once'(t, open) {
    const [a, b] = [await open({ capacity: 10 }), await open({ capacity: 10 })];
    const sends = range(60).map((n) => (n % 2 === 0 ? a : b).send('crowded', numbered(n)));
    const results = await Promise.allSettled(sends);
    const refused = results.filter((result) => result.status === 'rejected');
    t.equal(results.length - refused.length, 10);
    for (const { reason } of refused) t.equal(reason.code, 'CHANNELS_ERR_CHANNEL_FULL');
    for (let i = 0; i < 10; i++) await receive(a, 'crowded');
    t.same(await remaining(b, 'crowded'), []);
  },

  async 'a channel may have a capacity of its own'(t, open) {
    const layer = await open({
      capacity: 2,
      channelCapacity: [
        ['big.*', 4],
        [/one$/, 1],
        [/small/, 1],
      ],
    });
    const accepts = async (channel: string) => {
      let accepted = 0;
      while (await isAccepted(layer.send(channel, numbered(accepted)))) accepted++;
      return accepted;
    };
    t.equal(await accepts('big.one'), 4);
    t.equal(await accepts('small.one'), 1);
    t.equal(await accepts('not.small'), 2, 'an expression is matched at the start');
    t.equal(await accepts('else'), 2);
  },

  async 'a message older than the expiry is not delivered and takes no room'(t, open) {
    const time = settableClock();
    const layer = await open({ capacity: 2, expiry: 10, now: time.now });
    await layer.send('old', numbered(1));
    await layer.send('old', numbered(2));
    await t.rejects(layer.send('old', numbered(3)), { code: 'CHANNELS_ERR_CHANNEL_FULL' });
    time.advance(12_000);
    await layer.send('old', numbered(4));
    t.match(await receive(layer, 'old'), { n: 4 });
  },

  async 'a message that nobody sends after expires all the same'(t, open) {
    const time = settableClock();
    const layer = await open({ expiry: 10, now: time.now });
    await layer.send('old', numbered(1));
    time.advance(12_000);
    const waiting = receive(layer, 'old');
    await turns(5);
    await layer.send('old', numbered(2));
    t.match(await waiting, { n: 2 });
  },

  async 'a message younger than the expiry is delivered'(t, open) {
    const time = settableClock();
    const layer = await open({ expiry: 10, now: time.now });
    await layer.send('young', numbered(1));
    time.advance(9_000);
    t.match(await receive(layer, 'young'), { n: 1 });
  },

  async 'an aborted receive takes nothing'(t, open) {
    const layer = await open();
    const reason = new Error('enough');
    const controller = new AbortController();
    const waiting = layer.receive('aborted', { signal: controller.signal });
    await turns(3);
    controller.abort(reason);
    await t.rejects(waiting, reason);
    await layer.send('aborted', numbered(1));
    await t.rejects(layer.receive('aborted', { signal: controller.signal }), reason);
    t.match(await receive(layer, 'aborted'), { n: 1 });
  },

  async 'an aborted send writes nothing'(t, open) {
    const layer = await open();
    const reason = new Error('enough');
    await t.rejects(layer.send('aborted', numbered(1), { signal: AbortSignal.abort(reason) }), reason);
    t.same(await remaining(layer, 'aborted'), []);
  },

  async 'a message that arrives while its receive is aborted is delivered or still there'(t, open) {
    const [a, b] = [await open(), await open()];
    const specific = await a.newChannel();
    for (const channel of ['race', specific]) {
      for (let n = 0; n < 40; n++) {
        const controller = new AbortController();
        const waiting = a.receive(channel, { signal: controller.signal });
        const outcome = waiting.then(
          (message) => [message],
          () => [],
        );
        await turns(n % 4);
        const sent = b.send(channel, numbered(n));
        if (n % 3 === 0) await sent;
        await turns(n % 7);
        controller.abort();
        await sent;
        const [message = await receive(a, channel)] = await outcome;
        t.match(message, { n }, `message ${n} on ${channel}`);
      }
    }
  },

  async 'receivers share the messages and each goes to one'(t, open) {
    const layers = [await open({ capacity: 1000 }), await open({ capacity: 1000 })];
    const [sender] = layers;
    const received: unknown[] = [];
    const done = new AbortController();
    const total = 300;
    const receivers = range(6).map(async (i) => {
      for (;;) {
        const message = await layers[i % 2]?.receive('shared', { signal: done.signal });
        received.push(message?.n);
        if (received.length === total) done.abort();
      }
    });
    const outcome = Promise.allSettled(receivers);
    for (let n = 0; n < total; n++) await sender?.send('shared', numbered(n));
    await outcome;
    t.same(
      received.sort((x, y) => Number(x) - Number(y)),
      range(total),
    );
  },

  async 'a waiting receive is woken by another process'(t, open) {
    const [a, b] = [await open(), await open()];
    for (let n = 0; n < 20; n++) {
      const waiting = receive(a, 'ping');
      await turns(n % 5);
      await b.send('ping', numbered(n));
      t.match(await waiting, { n });
    }
  },

  async 'receives on several channels wait beside each other'(t, open) {
    const layer = await open();
    const channels = range(20).map((n) => `beside.${n}`);
    const waiting = channels.map((channel) => receive(layer, channel));
    for (const [n, channel] of [...channels.entries()].reverse()) await layer.send(channel, numbered(n));
    t.same(
      (await Promise.all(waiting)).map((message) => message.n),
      range(20),
    );
  },

  async 'a received message is a private copy'(t, open) {
    const layer = await open();
    const message = { type: 'test', map: { n: 1 }, list: [1] };
    const sent = layer.send('copies', message);
    message.map.n = 2;
    message.list.push(2);
    await sent;
    const [one, two] = [await layer.newChannel(), await layer.newChannel()];
    for (const channel of ['copies', one, two]) await layer.groupAdd('copies', channel);
    t.match(await receive(layer, 'copies'), { map: { n: 1 }, list: [1] }, 'as it was when send was called');
    await layer.groupSend('copies', message);
    const first = await receive(layer, one);
    (first.map as { n: number }).n = 3;
    t.match(await receive(layer, two), { map: { n: 2 } });
    t.match(await receive(layer, 'copies'), { map: { n: 2 } });
  },

  async 'a new channel has a name that is its own'(t, open) {
    const layer = await open();
    const [one, two] = [await layer.newChannel(), await layer.newChannel('web.socket')];
    t.match(one, /^specific\.[\da-f]{32}![\da-f]{32}$/);
    t.match(two, /^web\.socket\.[\da-f]{32}![\da-f]{32}$/);
    t.equal(one.slice(9, 41), two.slice(11, 43), 'the part before the "!" is the layer object');
    t.not(one.slice(42), two.slice(44));
  },

  async 'a specific channel is received by the process that made it'(t, open) {
    const [a, b] = [await open(), await open()];
    const [one, two] = [await a.newChannel(), await a.newChannel('other')];
    const waiting = receive(a, two);
    await b.send(one, numbered(1));
    await b.send(two, numbered(2));
    t.match(await waiting, { n: 2 });
    t.strictSame({ ...(await receive(a, one)) }, numbered(1), 'no key is added to the message');
  },

  async 'another process may not receive on a specific channel'(t, open) {
    const [a, b] = [await open(), await open()];
    const channel = await a.newChannel();
    await t.rejects(b.receive(channel), { code: 'CHANNELS_ERR_FOREIGN_CHANNEL', channel });
    await t.rejects(b.receive('made-up!'), { code: 'CHANNELS_ERR_FOREIGN_CHANNEL' });
    await a.send(channel, numbered(1));
    t.match(await receive(a, channel), { n: 1 });
  },

  async 'many local channels of one process receive at once'(t, open) {
    const [a, b] = [await open({ capacity: 1000 }), await open({ capacity: 1000 })];
    const channels = await Promise.all(range(30).map(() => a.newChannel()));
    const waiting = channels.map((channel) => receive(a, channel));
    await Promise.all(channels.map((channel, n) => b.send(channel, numbered(n))));
    t.same(
      (await Promise.all(waiting)).map((message) => message.n),
      range(30),
    );
  },

  async 'aborting one local receive leaves the others waiting'(t, open) {
    const layer = await open();
    const [one, two] = [await layer.newChannel(), await layer.newChannel()];
    const controller = new AbortController();
    const aborted = layer.receive(one, { signal: controller.signal });
    const waiting = receive(layer, two);
    await turns(3);
    controller.abort();
    await t.rejects(aborted);
    await layer.send(one, numbered(1));
    await layer.send(two, numbered(2));
    t.match(await waiting, { n: 2 });
    t.match(await receive(layer, one), { n: 1 });
  },

  async 'a local channel that nobody receives drops its oldest and says so'(t, open) {
    const dropped: DroppedMessage[] = [];
    const layer = await open({ capacity: 3, onDrop: (drop) => dropped.push(drop) });
    const [idle, busy] = [await layer.newChannel(), await layer.newChannel()];
    for (let n = 0; n < 5; n++) {
      await layer.send(idle, numbered(n));
      await layer.send(busy, numbered(n));
      t.match(await receive(layer, busy), { n }, 'the busy neighbour is not disturbed');
    }
    const kept = [];
    for (let i = 0; i < 3; i++) kept.push((await receive(layer, idle)).n);
    t.same(kept, [2, 3, 4]);
    t.match(dropped, [
      { channel: idle, reason: 'overflow' },
      { channel: idle, reason: 'overflow' },
    ]);
    t.equal(dropped.length, 2);
  },

  async 'the local channels of a process share one capacity until they are received'(t, open) {
    const layer = await open({ capacity: 3 });
    const [one, two] = [await layer.newChannel(), await layer.newChannel()];
    t.equal(messageKey(one), messageKey(two));
    for (let n = 0; n < 3; n++) await layer.send(n % 2 === 0 ? one : two, numbered(n));
    await t.rejects(layer.send(two, numbered(3)), { code: 'CHANNELS_ERR_CHANNEL_FULL', channel: two });
    t.match(await receive(layer, two), { n: 1 });
  },

  async 'a group passes a message to all its members'(t, open) {
    const [a, b] = [await open(), await open()];
    const members = ['general', await a.newChannel(), await a.newChannel(), await b.newChannel()];
    const receivers = [a, a, a, b];
    for (const member of members) await a.groupAdd('group', member);
    await a.groupAdd('group', 'general');
    await b.groupSend('group', numbered(1));
    for (const [i, member] of members.entries()) {
      t.strictSame({ ...(await receive(receivers[i] ?? a, member)) }, numbered(1), member);
    }
    await a.groupSend('group', numbered(2));
    for (const [i, member] of members.entries()) t.match(await receive(receivers[i] ?? a, member), { n: 2 });
  },

  async 'groups do not mix with each other nor with channels of their name'(t, open) {
    const layer = await open();
    await layer.groupAdd('one', 'a');
    await layer.groupAdd('two', 'b');
    await layer.groupSend('one', numbered(1));
    await layer.send('one', numbered(2));
    t.match(await receive(layer, 'a'), { n: 1 });
    t.match(await receive(layer, 'one'), { n: 2 });
    t.same(await remaining(layer, 'b'), []);
  },

  async 'who left a group gets nothing'(t, open) {
    const layer = await open();
    const specific = await layer.newChannel();
    for (const member of ['stays', 'leaves', specific]) await layer.groupAdd('group', member);
    await layer.groupDiscard('group', 'leaves');
    await layer.groupDiscard('group', specific);
    await layer.groupDiscard('group', 'never.was');
    await layer.groupDiscard('no-group', 'stays');
    await layer.groupSend('group', numbered(1));
    t.match(await receive(layer, 'stays'), { n: 1 });
    t.same(await remaining(layer, 'leaves'), []);
    t.same(await remaining(layer, specific), []);
  },

  async 'a group without members swallows the message'(t, open) {
    const layer = await open();
    await layer.groupSend('nobody', numbered(1));
    await layer.groupAdd('nobody', 'late');
    t.same(await remaining(layer, 'late'), []);
  },

  async 'a full member misses the message, the others get it'(t, open) {
    const layer = await open({ channelCapacity: { small: 1 } });
    for (const member of ['small', 'large']) await layer.groupAdd('group', member);
    await layer.groupSend('group', numbered(1));
    await layer.groupSend('group', numbered(2));
    t.match(await receive(layer, 'large'), { n: 1 });
    t.match(await receive(layer, 'large'), { n: 2 });
    t.match(await receive(layer, 'small'), { n: 1 });
    t.same(await remaining(layer, 'small'), []);
  },

  async 'a full process misses messages of a group beyond its capacity, and other members get them'(t, open) {
    const dropped: DroppedMessage[] = [];
    const layer = await open({ capacity: 3, onDrop: (drop) => dropped.push(drop) });
    const [full, other] = [await layer.newChannel(), await layer.newChannel('other')];
    for (const member of [full, other]) await layer.groupAdd('group', member);
    await layer.send(full, numbered(0));
    for (const n of [1, 2, 3]) await layer.groupSend('group', numbered(n));
    t.same(dropped, [{ channel: messageKey(full), reason: 'overflow' }], 'the sender is told');
    for (const n of [0, 1, 2]) t.match(await receive(layer, full), { n });
    for (const n of [1, 2, 3]) t.match(await receive(layer, other), { n });
    for (const member of [full, other]) t.same(await remaining(layer, member), []);
  },

  async 'a burst of a thousand messages to a group waits for the sockets of one process'(t, open) {
    const layer = await open();
    const member = await layer.newChannel();
    await layer.groupAdd('group', member);
    await Promise.all(Array.from({ length: 1000 }, (_, n) => layer.groupSend('group', numbered(n))));
    let received = 0;
    while (received < 1000) received += (await layer.receiveMany(member)).length;
    t.equal(received, 1000);
  },

  async 'a message to a group expires on each member by itself'(t, open) {
    const time = settableClock();
    const layer = await open({ expiry: 10, now: time.now });
    const [one, two] = [await layer.newChannel(), await layer.newChannel('other')];
    for (const member of [one, two]) await layer.groupAdd('group', member);
    await layer.send(one, numbered(0));
    time.advance(6_000);
    for (const n of [1, 2]) await layer.groupSend('group', numbered(n));
    time.advance(6_000);
    await layer.groupSend('group', numbered(3));
    for (const member of [one, two]) {
      for (const n of [1, 2, 3]) t.match(await receive(layer, member), { n });
      t.same(await remaining(layer, member), []);
    }
    await layer.groupSend('group', numbered(4));
    time.advance(12_000);
    await layer.groupSend('group', numbered(5));
    for (const member of [one, two]) {
      t.match(await receive(layer, member), { n: 5 });
      t.same(await remaining(layer, member), []);
    }
  },

  async 'a membership ends after the group expiry unless it is renewed'(t, open) {
    const time = settableClock();
    const layer = await open({ groupExpiry: 100, now: time.now });
    for (const member of ['renewed', 'forgotten']) await layer.groupAdd('group', member);
    time.advance(60_000);
    await layer.groupAdd('group', 'renewed');
    time.advance(60_000);
    await layer.groupSend('group', numbered(1));
    t.match(await receive(layer, 'renewed'), { n: 1 });
    t.same(await remaining(layer, 'forgotten'), []);
  },

  async 'flush removes messages and groups, and waiting goes on'(t, open) {
    const [a, b] = [await open(), await open()];
    const specific = await a.newChannel();
    const waiting = receive(b, 'waiting');
    for (const channel of ['general', specific]) {
      await a.send(channel, numbered(1));
      await a.groupAdd('group', channel);
    }
    await a.flush();
    await a.groupSend('group', numbered(2));
    t.same(await remaining(a, 'general'), []);
    t.same(await remaining(a, specific), []);
    await a.send('waiting', numbered(3));
    t.match(await waiting, { n: 3 });
  },

  async 'close ends all waits'(t, open) {
    const layer = await open();
    const specific = await layer.newChannel();
    const closed = { code: 'CHANNELS_ERR_LAYER_CLOSED' };
    const waits = ['one', 'one', 'two', specific].map((channel) => t.rejects(layer.receive(channel), closed));
    await turns(3);
    await layer.close();
    await Promise.all(waits);
  },

  async 'a closed layer refuses everything and may be closed again'(t, open) {
    const layer = await open();
    await Promise.all([layer.close(), layer.close()]);
    await layer.close();
    const closed = { code: 'CHANNELS_ERR_LAYER_CLOSED' };
    await t.rejects(layer.send('channel', numbered(1)), closed);
    await t.rejects(layer.receive('channel'), closed);
    await t.rejects(layer.groupAdd('group', 'channel'), closed);
    await t.rejects(layer.groupDiscard('group', 'channel'), closed);
    await t.rejects(layer.groupSend('group', numbered(1)), closed);
    await t.rejects(layer.flush(), closed);
  },

  async 'a layer closed by one process goes on for another'(t, open) {
    const [a, b] = [await open(), await open()];
    const waiting = receive(b, 'goes.on');
    await a.send('left.behind', numbered(1));
    await a.close();
    await b.send('goes.on', numbered(2));
    t.match(await waiting, { n: 2 });
    t.match(await receive(b, 'left.behind'), { n: 1 });
  },
};

/** What it claims, for docs/explanation/channels.md. */
export const layerClaims: readonly string[] = Object.keys(contract);
