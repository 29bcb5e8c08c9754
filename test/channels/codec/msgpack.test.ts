import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { decode, ExtensionValue, encode, Float } from '../../../channels/codec/msgpack.js';
import { UndecodableError } from '../../../channels/errors.js';
import { fromTagged, withoutFloats } from '../../support/tagged-values.js';

interface MessageVector {
  readonly id: string;
  readonly message?: unknown;
  readonly repeat?: { kind: 'str' | 'bytes' | 'list'; item: unknown; times: number };
  readonly body_b64?: string;
  readonly body_length?: number;
  readonly body_sha256?: string;
}
interface DecodingVector {
  readonly id: string;
  readonly body_b64: string;
  readonly value?: unknown;
  readonly error?: string;
}
const vectors: { messages: MessageVector[]; decoding: DecodingVector[]; unsendable: Array<{ id: string }> } =
  JSON.parse(readFileSync(new URL('../../vectors/wire.json', import.meta.url), 'utf8'));

t.test('every message is written with the bytes that Python writes, and read back', async (t) => {
  t.ok(vectors.messages.length > 100);
  for (const vector of vectors.messages) {
    const message = messageOf(vector);
    const bytes = encode(message);
    if (vector.body_b64 !== undefined) t.equal(base64(bytes), vector.body_b64, vector.id);
    else {
      t.equal(bytes.length, vector.body_length, vector.id);
      t.equal(createHash('sha256').update(bytes).digest('hex'), vector.body_sha256, vector.id);
    }
    t.strictSame(decode(bytes), withoutFloats(message), `${vector.id} read back`);
  }
});

t.test('what Python refuses to pack is refused, with the place', async (t) => {
  class Money {
    readonly amount = 1;
  }
  const refused: Record<string, { value: unknown; says: RegExp }> = {
    'int-2-64': { value: 2n ** 64n, says: /outside of -2\^63 … 2\^64-1/ },
    'int-below': { value: -(2n ** 63n) - 1n, says: /outside of/ },
    set: { value: new Set([1]), says: /class Set/ },
    'lone-surrogate': { value: 'a\ud800', says: /surrogate/ },
    object: { value: new Money(), says: /class Money/ },
  };
  t.strictSame(
    vectors.unsendable.map(({ id }) => id),
    Object.keys(refused),
  );
  for (const [id, { value, says }] of Object.entries(refused)) {
    t.throws(() => encode({ v: value }), { code: 'CHANNELS_ERR_INVALID_MESSAGE', message: says }, id);
    t.throws(() => encode({ a: [0, { 'b c': value }] }), { message: /^message\.a\[1\]\["b c"\]: / }, id);
  }
});

t.test('a value that only JavaScript has is refused, with the place', async (t) => {
  const values = [
    undefined,
    Symbol('s'),
    () => 1,
    new Date(0),
    /x/,
    Promise.resolve(),
    new Uint16Array(1),
    new ArrayBuffer(1),
    new Map([[1, 1]]),
    new ExtensionValue(200, new Uint8Array()),
  ];
  for (const value of values)
    t.throws(() => encode({ a: [value] }), { message: /^message\.a\[0\](\[?.*\]?)?: is / }, String(value));
  t.throws(() => encode({ a: { '\udc00': 1 } }), { message: /surrogate/ });
  t.throws(() => encode(undefined), { message: 'message: is undefined' });
});

t.test('a refused message does not spoil the next one', async (t) => {
  t.throws(() => encode({ a: 'x'.repeat(100), b: undefined, c: () => 1 }));
  t.equal(hex(encode({ a: 1 })), '81a16101');
});

t.test('a property that is undefined is left out, whatever the size of the object', async (t) => {
  t.equal(hex(encode({ a: undefined, b: 1, c: undefined })), '81a16201');
  for (const [size, left] of [
    [16, 15],
    [20, 0],
    [70_000, 65_535],
    [70_000, 66_000],
  ] as const) {
    const all = Object.fromEntries(Array.from({ length: size }, (_, i) => [`k${i}`, i]));
    const some = Object.fromEntries(Object.entries(all).map(([k, v]) => [k, v < left ? v : undefined]));
    const expected = Object.fromEntries(Object.entries(all).filter(([, v]) => v < left));
    t.equal(base64(encode([some, 'after'])), base64(encode([expected, 'after'])), `${left} of ${size}`);
  }
});

t.test('whole numbers are integers, unless they are wrapped, are -0 or are beyond 2^53', async (t) => {
  t.equal(hex(encode(1.0)), '01');
  t.equal(hex(encode(new Float(1))), 'cb3ff0000000000000');
  t.equal(hex(encode(-0)), 'cb8000000000000000');
  t.equal(hex(encode(2 ** 53)), 'cb4340000000000000');
  t.equal(hex(encode(2n ** 53n)), 'cf0020000000000000');
  t.equal(hex(encode(5n)), '05', 'a small bigint is short');
  t.equal(decode(encode(new Float(1))), 1);
  t.equal(decode(encode(5n)), 5, 'and comes back as a number');
});

t.test('objects of another realm and without a prototype are plain, Buffers are bytes', async (t) => {
  t.equal(hex(encode(runInNewContext('({ a: [1] })'))), '81a1619101');
  t.equal(hex(encode(Object.assign(Object.create(null), { a: 1 }))), '81a16101');
  t.equal(hex(encode(Buffer.from('a'))), 'c40161');
});

t.test('nesting is bounded as in Python', async (t) => {
  t.doesNotThrow(() => encode(nested(511, 1)));
  t.throws(() => encode(nested(512, 1)), { message: /^message(\[0\])+…: is nested deeper than 511 levels/ });
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  t.throws(() => encode(loop), { code: 'CHANNELS_ERR_INVALID_MESSAGE' });
  t.doesNotThrow(() => decode(Buffer.from(`${'91'.repeat(1024)}01`, 'hex')));
  t.doesNotThrow(() => decode(Buffer.from(`${'91'.repeat(1023)}80`, 'hex')));
  for (const tooDeep of ['91', '81a161'].map((open) => `${open.repeat(1025)}01`))
    t.throws(() => decode(Buffer.from(tooDeep, 'hex')), {
      code: 'CHANNELS_ERR_UNDECODABLE',
      message: /1024/,
    });
});

t.test('every encoding is read, and what is none is refused', async (t) => {
  for (const vector of vectors.decoding) {
    const bytes = Buffer.from(vector.body_b64, 'base64');
    if (vector.error !== undefined)
      t.throws(() => decode(bytes), { code: 'CHANNELS_ERR_UNDECODABLE' }, vector.id);
    else t.strictSame(decode(bytes), expectedOf(vector.value), vector.id);
  }
});

t.test('byte keys make a Map in which the last of equal keys wins', async (t) => {
  const bytes = Buffer.from('85a16b01c4016b02a16b03c4016b04a17805', 'hex');
  t.strictSame(
    decode(bytes),
    new Map<unknown, unknown>([
      ['k', 3],
      [new Uint8Array([0x6b]), 4],
      ['x', 5],
    ]),
  );
});

t.test('a key named __proto__ is data', async (t) => {
  const sent = JSON.parse('{"__proto__": {"admin": true}, "constructor": 1}');
  const received = decode(encode(sent)) as Record<string, unknown>;
  t.equal(received.admin, undefined);
  t.strictSame(Object.keys(received), ['__proto__', 'constructor']);
  t.equal(Object.getPrototypeOf(received), Object.prototype);
  t.equal(JSON.stringify(received), JSON.stringify(sent));
});

t.test('bytes that were read are no part of what they were read from', async (t) => {
  const source = Buffer.from('c40161', 'hex');
  const value = decode(source);
  source.fill(0);
  t.strictSame(value, new Uint8Array([0x61]));
  t.equal((value as Uint8Array).buffer.byteLength, 1);
});

t.test('text is strict UTF-8: no surrogates, no overlong forms, but a byte order mark', async (t) => {
  for (const invalid of ['eda080', 'f4908080', 'c080', 'e4bd', '80'])
    for (const filler of ['', '61'.repeat(40)])
      t.throws(() => decode(text(filler + invalid)), { message: /UTF-8/ }, `${filler}${invalid}`);
  t.equal(decode(text('efbbbf61')), '\ufeffa');
});

t.test('a few bytes cannot announce a huge value', async (t) => {
  for (const header of ['ddffffffff', 'dfffffffff', 'dbffffffff', 'c6ffffffff', 'c9ffffffff05'])
    t.throws(() => decode(Buffer.from(`${header}00`, 'hex')), { code: 'CHANNELS_ERR_UNDECODABLE' }, header);
});

t.test('extension values are written as they were read', async (t) => {
  for (const size of [0, 1, 2, 3, 4, 8, 12, 16, 17, 255, 256, 65_536]) {
    const value = new ExtensionValue(-1, new Uint8Array(size).fill(7));
    t.strictSame(decode(encode(value)), value, `${size} bytes`);
  }
});

t.test('a getter that sends another message meanwhile disturbs nothing', async (t) => {
  const message = {
    a: 'before',
    get b() {
      return hex(encode({ inner: 'x'.repeat(5000) })).length;
    },
    c: 'after',
  };
  t.strictSame(decode(encode(message)), { a: 'before', b: 10020, c: 'after' });
});

t.test('random values come back the same, and random bytes are read or refused', async (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  t.comment(`SEED=${seed}`);
  const random = generator(seed);
  for (let i = 0; i < 2000; i++) {
    const value = randomValue(random, 4);
    const bytes = encode(value);
    if (!isSame(decode(bytes), value)) t.fail('a value came back changed', { bytes: base64(bytes) });
    const damaged = Buffer.from(bytes);
    damaged[Math.floor(random() * damaged.length)] = Math.floor(random() * 256);
    for (const candidate of [damaged, bytes.subarray(0, Math.floor(random() * bytes.length))]) {
      const code = codeOfDecoding(candidate);
      if (code !== undefined && code !== 'CHANNELS_ERR_UNDECODABLE')
        t.fail(`decoding failed with ${code}`, { bytes: base64(candidate) });
    }
  }
});

/** The code of the error that decoding ends in; undefined if it ends in a value. */
function codeOfDecoding(bytes: Uint8Array): unknown {
  try {
    decode(bytes);
    return undefined;
  } catch (error) {
    return error instanceof UndecodableError ? error.code : String(error);
  }
}

function messageOf(vector: MessageVector): unknown {
  if (vector.repeat === undefined) return fromTagged(vector.message);
  const { kind, item, times } = vector.repeat;
  if (kind === 'str') return { v: String(item).repeat(times) };
  if (kind === 'list') return { v: Array.from({ length: times }, () => item) };
  return { v: new Uint8Array(times).fill((fromTagged(item) as Uint8Array)[0] ?? 0) };
}

/** A timestamp of the vectors, which is an extension value of code -1 here, in its shortest form. */
function expectedOf(tagged: unknown): unknown {
  const stamp = (tagged as { v?: { $timestamp?: [number, number] } }).v?.$timestamp;
  if (stamp === undefined) return withoutFloats(fromTagged(tagged));
  const [seconds, nanoseconds] = stamp;
  const data = Buffer.alloc(seconds < 0 ? 12 : nanoseconds > 0 ? 8 : 4);
  if (data.length === 4) data.writeUInt32BE(seconds);
  else if (data.length === 8) data.writeBigUInt64BE((BigInt(nanoseconds) << 34n) | BigInt(seconds));
  else {
    data.writeUInt32BE(nanoseconds);
    data.writeBigInt64BE(BigInt(seconds), 4);
  }
  return { v: new ExtensionValue(-1, new Uint8Array(data)) };
}

function nested(levels: number, value: unknown): unknown {
  let result = value;
  for (let i = 0; i < levels; i++) result = [result];
  return result;
}

function text(bytesAsHex: string): Buffer {
  const length = (bytesAsHex.length / 2).toString(16).padStart(2, '0');
  return Buffer.from(`d9${length}${bytesAsHex}`, 'hex');
}

function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function randomValue(random: () => number, depth: number): unknown {
  const length = Math.floor(random() ** 4 * 300);
  switch (Math.floor(random() * (depth > 0 ? 9 : 7))) {
    case 0:
      return null;
    case 1:
      return random() < 0.5;
    case 2:
      return Math.floor((random() - 0.5) * 2 ** Math.floor(random() * 54));
    case 3:
      return (random() - 0.5) * 10 ** Math.floor(random() * 40 - 20);
    case 4:
      return (random() < 0.5 ? -1n : 1n) * (2n ** 54n + (BigInt(Math.floor(random() * 2 ** 30)) << 32n));
    case 5:
      return Array.from({ length }, () => pick(random, ['a', 'õ', '日', '😀', '\0', 'Z'])).join('');
    case 6:
      return new Uint8Array(length).map(() => Math.floor(random() * 256));
    case 7:
      return Array.from({ length: length % 20 }, () => randomValue(random, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: length % 20 }, (_, i) => [`k${i}õ`.slice(0, 3), randomValue(random, depth - 1)]),
      );
  }
}

function pick<T>(random: () => number, items: readonly T[]): T | undefined {
  return items[Math.floor(random() * items.length)];
}

function isSame(a: unknown, b: unknown): boolean {
  const plain = (_key: string, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value instanceof Uint8Array ? `bytes ${base64(value)}` : value;
  return JSON.stringify(a, plain) === JSON.stringify(b, plain);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
