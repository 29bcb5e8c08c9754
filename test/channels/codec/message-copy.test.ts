import { inspect, isDeepStrictEqual } from 'node:util';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { copyAsSent, copyOf } from '../../../channels/codec/message-copy.js';
import { decode, ExtensionValue, encode, Float } from '../../../channels/codec/msgpack.js';
import { Random } from '../../support/random.js';

t.test('a copy says what the message said, of all that a codec reads', async (t) => {
  const message = {
    type: 'all.values',
    empty: null,
    yes: true,
    whole: 1,
    half: 0.5,
    large: 2n ** 63n,
    text: 'Õhtu',
    bytes: new Uint8Array([1, 2, 3]),
    list: [1, [2, { three: 3 }]],
    map: new Map<unknown, unknown>([[new Uint8Array([9]), 'byte key']]),
    extension: new ExtensionValue(5, new Uint8Array([7])),
  };
  const read = decode(encode(message));
  t.strictSame(copyOf(read), read);
});

t.test('a change of the copy changes nothing else, however deep it is', async (t) => {
  const bytes = encode({
    list: [{ n: 1 }],
    bytes: new Uint8Array([1]),
    map: new Map([[new Uint8Array([9]), [1]]]),
    extension: new ExtensionValue(5, new Uint8Array([7])),
  });
  type Read = {
    list: Array<{ n: number }>;
    bytes: Uint8Array;
    map: Map<Uint8Array, number[]>;
    extension: ExtensionValue;
  };
  const original = decode(bytes) as Read;
  const copy = copyOf(original);
  for (const each of copy.list) each.n = 2;
  copy.bytes[0] = 2;
  for (const values of copy.map.values()) values.push(2);
  copy.extension.data[0] = 2;
  t.strictSame(original, decode(bytes));
});

t.test('a key __proto__ stays data in a copy', async (t) => {
  const message: Record<string, unknown> = {};
  Object.defineProperty(message, '__proto__', { value: { admin: true }, enumerable: true });
  const copy = copyOf(decode(encode(message))) as Record<string, unknown>;
  t.strictSame(Object.keys(copy), ['__proto__']);
  t.equal(Object.getPrototypeOf(copy), Object.prototype);
  t.equal(copy.admin, undefined);
});

/** Values that stay what they are, that MessagePack changes, and that it refuses. */
const kinds: ReadonlyArray<() => unknown> = [
  ...['tere', 'Õhtu 🌙', '', 'half of a pair \ud800', 0, -0, 1.5, -7, 2 ** 53, 1e300, Number.NaN],
  ...[true, null, undefined, 5n, 2n ** 64n, new Date(0), Symbol('s')],
].map((value) => () => value);
const made: ReadonlyArray<() => unknown> = [
  () => new Uint8Array([1, 2]),
  () => Buffer.from('bytes'),
  () => new Float(3),
  () => new ExtensionValue(1, new Uint8Array([1])),
  () => new Map<unknown, unknown>([['key', 1]]),
  () => new Map<unknown, unknown>([[new Uint8Array([9]), 1]]),
  () => Object.create(null),
  () => Object.defineProperty({}, '__proto__', { value: 1, enumerable: true }),
  () => new Array(2),
  () => runInNewContext('({ realm: [1] })'),
];
const keys = ['type', 'text', 'Õ', '7', 'half \udc00', ''];

t.test(
  'what is copied as sent is what a receiver elsewhere reads, and what cannot be written is refused alike',
  async (t) => {
    const random = new Random();
    t.comment(`SEED=${random.seed}`);
    const outcome = (work: () => unknown) => {
      try {
        return { value: work() };
      } catch (error) {
        return { error: String(error) };
      }
    };
    for (let n = 0; n < 3000; n++) {
      const message = randomMessage(random);
      const expected = outcome(() => decode(encode(message)));
      const found = outcome(() => copyAsSent(message));
      if (!isDeepStrictEqual(found, expected)) t.same(found, expected, inspect(message, { depth: 9 }));
    }
    let deep: unknown = 1;
    for (let n = 0; n < 400; n++) deep = n % 2 === 0 ? [deep] : { deep };
    t.ok(isDeepStrictEqual(copyAsSent({ deep }), decode(encode({ deep }))), 'a deep one');
    const endless: Record<string, unknown> = {};
    endless.endless = endless;
    t.throws(() => copyAsSent(endless), { code: 'CHANNELS_ERR_INVALID_MESSAGE' });
  },
);

t.test('what is copied as sent shares nothing with the message', async (t) => {
  const message = { list: [{ n: 1 }], dict: { bytes: new Uint8Array([1]) } };
  const plain = { list: [{ n: 1 }], dict: { n: 1 } };
  const copies = [copyAsSent(message), copyAsSent(plain)];
  for (const { list, dict } of [message, plain]) {
    for (const each of list) each.n = 2;
    Object.assign(dict, { n: 2 });
  }
  message.dict.bytes[0] = 2;
  t.strictSame(copies, [
    { list: [{ n: 1 }], dict: { bytes: new Uint8Array([1]) } },
    { list: [{ n: 1 }], dict: { n: 1 } },
  ]);
});

/** Mostly of what stays as it is, so that not every message is one for the codec. */
function randomMessage(random: Random): Record<string, unknown> {
  const isUnusual = random.chance(1 / 3);
  return Object.fromEntries(
    Array.from({ length: 3 }, () => [randomKey(random), randomValue(random, 3, isUnusual)]),
  );
}

function randomValue(random: Random, depth: number, isUnusual: boolean): unknown {
  const what = random.whole(0, depth > 0 ? 5 : 3);
  if (what === 4) return Array.from({ length: 2 }, () => randomValue(random, depth - 1, isUnusual));
  if (what === 5) return Object.fromEntries([[randomKey(random), randomValue(random, depth - 1, isUnusual)]]);
  if (!isUnusual) return random.pick(['tere', 'Õhtu', 0, -0, 1.5, true, null]);
  return random.pick(what === 0 ? made : kinds)();
}

function randomKey(random: Random): string {
  return random.chance(0.1) ? random.pick(keys) : random.pick(['a', 'b', 'c']);
}
