import t from 'tap';
import { copyOf } from '../../channels/message-copy.js';
import { decode, ExtensionValue, encode } from '../../channels/msgpack.js';

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
