import { execFileSync } from 'node:child_process';
import t from 'tap';
import { decodeJson, encodeJson } from '../../../channels/codec/json.js';
import { ExtensionValue, Float } from '../../../channels/codec/msgpack.js';
import { Random } from '../../support/random.js';
import { withoutFloats } from '../../support/tagged-values.js';
import { messageOfVector, wireVectors } from '../../support/wire-vectors.js';

const invalid = { code: 'CHANNELS_ERR_INVALID_MESSAGE' };
const undecodable = { code: 'CHANNELS_ERR_UNDECODABLE' };
const write = (value: unknown) => Buffer.from(encodeJson(value)).toString('latin1');
const read = (text: string) => decodeJson(Buffer.from(text));

t.test('every message is written with the text that Python writes, and read back', async (t) => {
  let compared = 0;
  for (const vector of wireVectors.messages) {
    const message = messageOfVector(vector);
    if (vector.json_error !== undefined) t.throws(() => encodeJson(message), invalid, vector.id);
    else {
      if (vector.json_body !== undefined) {
        t.equal(write(message), vector.json_body, vector.id);
        compared++;
      }
      t.strictSame(decodeJson(encodeJson(message)), withoutFloats(message), `${vector.id} read back`);
    }
  }
  t.ok(compared > 60, `${compared} texts`);
});

t.test('what Python refuses to write is refused, with the place, and what it takes is taken', async (t) => {
  class Money {
    readonly amount = 1;
  }
  const values: Record<string, unknown> = {
    'int-2-64': 2n ** 64n,
    'int-below': -(2n ** 63n) - 1n,
    set: new Set([1]),
    'lone-surrogate': 'a\ud800',
    object: new Money(),
  };
  t.strictSame(
    wireVectors.unsendable.map(({ id }) => id),
    Object.keys(values),
  );
  for (const { id, json } of wireVectors.unsendable) {
    const message = { a: [0, { 'b c': values[id] }] };
    if (json !== null)
      t.throws(() => encodeJson(message), { ...invalid, message: /^message\.a\[1\]\["b c"\]: / }, id);
    else t.strictSame(decodeJson(encodeJson(message)), message, id);
  }
});

t.test('what JSON does not have is refused, and a property that is undefined is left out', async (t) => {
  const values = [undefined, Symbol('s'), () => 1, new Date(0), /x/, new Uint8Array(1), Buffer.from('a')];
  for (const value of [...values, new ExtensionValue(1, new Uint8Array()), new Map([[new Uint8Array(1), 1]])])
    t.throws(() => encodeJson({ a: [value] }), { ...invalid, message: /^message\.a\[0\](\[?.*\]?)?: is / });
  t.equal(write({ a: undefined, b: 1, c: undefined }), '{"b": 1}');
});

t.test('keys that are numbers become text, and equal keys are both written', async (t) => {
  const map = new Map<unknown, unknown>([
    [1, 'a'],
    [1.5, 'b'],
    [new Float(2), 'c'],
    [10n ** 20n, 'd'],
    [true, 'e'],
    [null, 'f'],
    ['1', 'g'],
  ]);
  const text =
    '{"1": "a", "1.5": "b", "2.0": "c", "100000000000000000000": "d", "true": "e", "null": "f", "1": "g"}';
  t.equal(write(map), text);
  t.strictSame((read(text) as Record<string, unknown>)['1'], 'g', 'of equal keys the last one wins');
});

t.test('numbers are written as Python writes them, whatever their size', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const bits = new DataView(new ArrayBuffer(8));
  const numbers = [0.1, 1e15, 1e16, 123456789012345680, 1e-4, 1e-5, 1.5e-7, 5e-324, 1e22, 1e21, 2 ** 53, -0];
  while (numbers.length < 3000) {
    bits.setUint32(0, random.next() * 2 ** 32);
    bits.setUint32(4, random.next() * 2 ** 32);
    numbers.push(
      random.next() < 0.5
        ? bits.getFloat64(0)
        : (random.next() - 0.5) * 10 ** Math.floor(random.next() * 40 - 20),
    );
  }
  // Python reads each as a double from its bytes and writes what it would send.
  const script =
    'import sys,json,struct; print(json.dumps([x for x, in struct.iter_unpack(">d", sys.stdin.buffer.read())]))';
  const input = Buffer.alloc(numbers.length * 8);
  for (const [i, number] of numbers.entries()) input.writeDoubleBE(number, i * 8);
  const written = execFileSync('/usr/bin/python3', ['-c', script], { input, encoding: 'utf8' }).trim();
  t.equal(write(numbers.map((number) => new Float(number))), written);
});

t.test('any text of JSON is read', async (t) => {
  const text =
    ' {"a":[1 , 2.0,-0,-0.0,1E2,1e400,\t12345678901234567890]\r\n,"é\\u00e9\\ud83d\\ude00\\ud800\\/\\"\\\\\\b\\f\\n\\r\\t":"日😀",' +
    '"n":NaN,"i":[Infinity,-Infinity],"t":[true,false,null],"":{},"l":[]} ';
  t.strictSame(read(text), {
    a: [1, 2, 0, -0, 100, Number.POSITIVE_INFINITY, 12345678901234567890n],
    'éé😀\ud800/"\\\b\f\n\r\t': '日😀',
    n: Number.NaN,
    i: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    t: [true, false, null],
    '': {},
    l: [],
  });
  const own = read('{"__proto__": {"a": 1}}') as object;
  t.ok(Object.hasOwn(own, '__proto__'));
  t.equal(Object.getPrototypeOf(own), Object.prototype);
});

t.test('what is no JSON is refused, and the error shows nothing of it', async (t) => {
  const texts = [
    '',
    ' ',
    '{',
    '[',
    '[1',
    '[1,]',
    '[,1]',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{a:1}',
    "'a'",
    '"a',
    '"\n"',
    '"\\x"',
  ];
  for (const text of [
    ...texts,
    '"\\u12g4"',
    '01',
    '1.',
    '.5',
    '+1',
    '-',
    '1e',
    'nul',
    'nan',
    '1 2',
    '{} {}',
    '-NaN',
    'secret',
    '{NaN:1}',
    '{12345678901234567890:1}',
    '-12345678901234567890a',
    '012345678901234567890',
    '"\\',
  ])
    t.throws(() => read(text), undecodable, JSON.stringify(text));
  t.throws(() => decodeJson(Buffer.from([0x22, 0xff, 0x22])), undecodable, 'no UTF-8');
  t.throws(() => read('["secret" secret]'), { message: 'the text is no JSON', cause: undefined });
});

t.test('nesting and the length of integers are bounded', async (t) => {
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  t.doesNotThrow(() => read(nested(1024)));
  t.throws(() => read(nested(1025)), undecodable);
  t.throws(() => read('['.repeat(1_000_000)), undecodable);
  const loop: unknown[] = [];
  loop.push(loop);
  t.throws(() => encodeJson(loop), { ...invalid, message: /deeper than 511 levels/ });
  t.equal(read(`1${'0'.repeat(4299)}`), 10n ** 4299n);
  t.throws(() => read(`1${'0'.repeat(4300)}`), undecodable);
  t.throws(() => encodeJson({ a: 10n ** 4300n }), { ...invalid, message: /^message\.a: .*4300 digits/ });
});
