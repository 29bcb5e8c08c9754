import { readFileSync } from 'node:fs';
import t from 'tap';
import {
  type CapacityPatterns,
  capacityOf,
  checkChannelName,
  checkGroupName,
  messageKey,
} from '../../channels/index.js';
import { checkMessage, secondsToMs } from '../../channels/layer.js';

interface Vectors {
  readonly names: readonly { name: unknown; channel: boolean; group: boolean }[];
  readonly capacity: readonly {
    channel_capacity: CapacityPatterns;
    capacity: number;
    results: readonly (readonly [string, number])[];
  }[];
}

const vectors: Vectors = JSON.parse(readFileSync(new URL('../vectors/wire.json', import.meta.url), 'utf8'));

const isAscii = (name: unknown) => typeof name !== 'string' || /^[\x20-\x7e]*$/.test(name);

function accepts(check: (name: unknown) => string, name: unknown): boolean {
  try {
    check(name);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'CHANNELS_ERR_INVALID_NAME') return false;
    throw error;
  }
}

t.test('names are those of the original, in ASCII', async (t) => {
  t.ok(vectors.names.length > 50);
  for (const [i, { name, channel, group }] of vectors.names.entries()) {
    // The original lets pass Unicode digits and a final newline; this is deliberately stricter (docs/reference/wire.md, W18).
    t.equal(accepts(checkChannelName, name), channel && isAscii(name), `names[${i}] as a channel's`);
    t.equal(accepts(checkGroupName, name), group && isAscii(name), `names[${i}] as a group's`);
  }
});

t.test('a refused name is told with the rule, and not at any length', async (t) => {
  t.throws(() => checkChannelName('chat room'), {
    invalidName: 'chat room',
    message:
      'channel name must be at most 99 ASCII letters, digits, "-", "_" or ".", with at most one "!", got: "chat room"',
  });
  t.throws(() => checkGroupName('x'.repeat(100_000)), { message: /^group name must be .{0,200}…"$/ });
});

t.test('capacities are those of the original', async (t) => {
  t.ok(vectors.capacity.length > 3);
  for (const { channel_capacity, capacity, results } of vectors.capacity) {
    const capacityFor = capacityOf({ capacity, channelCapacity: channel_capacity });
    for (const [channel, expected] of results) {
      t.equal(capacityFor(channel), expected, `${channel} by ${JSON.stringify(channel_capacity)}`);
    }
  }
});

t.test('the first pattern that fits decides the capacity', async (t) => {
  const capacity = capacityOf({ capacity: 7, channelCapacity: { 'http.*': 5, 'h?t[!a-z]': 2 } });
  t.equal(capacity('http.request'), 5);
  t.equal(capacity('hot1'), 2);
  t.equal(capacity('hota'), 7);
});

t.test('an expression is matched at the start, whatever its flags and however often', async (t) => {
  const capacity = capacityOf({
    channelCapacity: [
      [/chat/g, 1],
      [/JOBS$/iy, 2],
      [/^log|mail/, 3],
    ],
  });
  for (let i = 0; i < 3; i++) {
    t.equal(capacity('chat.room'), 1);
    t.equal(capacity('my.chat'), 100);
    t.equal(capacity('jobs'), 2);
    t.equal(capacity('jobs.more'), 100);
    t.equal(capacity('mail'), 3);
    t.equal(capacity('my.mail'), 100);
  }
});

t.test('characters of expressions mean themselves in a shell pattern', async (t) => {
  for (const pattern of ['a.b', 'a+', '(a)', 'a|b', '^a$', 'a{2}', 'a\\d', '[a', 'a]', '[]', '[!]']) {
    const capacity = capacityOf({ channelCapacity: [[pattern, 1]] });
    t.equal(capacity(pattern), 1, pattern);
    t.equal(capacity('aa'), 100, pattern);
  }
});

t.test('a capacity that is none is refused by its name', async (t) => {
  for (const capacity of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => capacityOf({ capacity }), { code: 'CHANNELS_ERR_INVALID_OPTION', option: 'capacity' });
    t.throws(() => capacityOf({ channelCapacity: { 'a.*': capacity } }), {
      code: 'CHANNELS_ERR_INVALID_OPTION',
      option: 'channelCapacity[a.*]',
    });
  }
});

t.test('seconds that are no duration are refused by their name', async (t) => {
  t.equal(secondsToMs('expiry', 0.5), 500);
  for (const seconds of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => secondsToMs('expiry', seconds), {
      code: 'CHANNELS_ERR_INVALID_OPTION',
      option: 'expiry',
    });
  }
});

t.test('a message is a plain object without the reserved key', async (t) => {
  for (const message of [
    {},
    { type: 'a' },
    Object.create(null),
    Object.assign(Object.create(null), { a: 1 }),
  ]) {
    t.equal(checkMessage(message), message);
  }
  for (const message of [null, undefined, [], 'text', new Map(), new Date(), new (class Thing {})()]) {
    t.throws(() => checkMessage(message), { code: 'CHANNELS_ERR_INVALID_MESSAGE' });
  }
  t.throws(() => checkMessage({ type: 'a', __asgi_channel__: undefined }), { message: /__asgi_channel__/ });
});

t.test('messages for a process are filed under the name up to the exclamation mark', async (t) => {
  t.equal(messageKey('specific.abc!def'), 'specific.abc!');
  t.equal(messageKey('specific.abc!'), 'specific.abc!');
  t.equal(messageKey('general'), 'general');
});
