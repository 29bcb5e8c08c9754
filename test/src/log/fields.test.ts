import t from 'tap';
import { stringifyFields } from '../../../src/log/fields.js';

const copyOf = (fields: Record<string, unknown>): unknown => JSON.parse(stringifyFields(fields));

t.test('what JSON does not have is reported as text', async (t) => {
  t.strictSame(
    copyOf({
      big: 12n,
      not: Number.NaN,
      far: Number.NEGATIVE_INFINITY,
      symbol: Symbol('s'),
      date: new Date(0),
      map: new Map([['a', new Set([1, 2n])]]),
      bytes: Buffer.alloc(3),
      call: () => 1,
      none: undefined,
      url: new URL('http://a/'),
    }),
    {
      ...{ big: '12', not: 'NaN', far: '-Infinity', symbol: 'Symbol(s)', date: '1970-01-01T00:00:00.000Z' },
      ...{ map: { a: [1, '2'] }, bytes: '[Buffer of 3 bytes]', url: 'http://a/' },
    },
  );
});

t.test('what throws when it is read harms only itself', async (t) => {
  const throwing = () => {
    throw new Error('no');
  };
  t.strictSame(
    copyOf({
      fine: 1,
      getter: Object.defineProperty({ a: 1 }, 'b', { enumerable: true, get: throwing }),
      json: { toJSON: throwing },
      proxy: new Proxy({}, { get: throwing, ownKeys: () => ['x'] }),
      thrown: {
        toJSON: () => {
          throw { toString: throwing };
        },
      },
    }),
    {
      fine: 1,
      getter: { a: 1, b: '[unreadable: Error: no]' },
      json: '[unreadable: Error: no]',
      proxy: {},
      thrown: '[unreadable: something that cannot be shown was thrown]',
    },
  );
  t.strictSame(copyOf(Object.defineProperty({}, 'x', { enumerable: true, get: throwing })), {
    x: '[unreadable: Error: no]',
  });
  t.match(copyOf(new Proxy({}, { ownKeys: throwing })), { unreadable: 'Error: no' });
});

t.test('errors in fields have their name, message, own fields and causes', async (t) => {
  const error = Object.assign(new TypeError('a', { cause: new RangeError('b') }), { code: 'E_A' });
  t.strictSame(copyOf({ failure: error }), {
    failure: { code: 'E_A', name: 'TypeError', message: 'a', cause: { name: 'RangeError', message: 'b' } },
  });
});

t.test('circles end, and the same object twice is none', async (t) => {
  const shared = { n: 1 };
  const circle: Record<string, unknown> = { a: shared, b: [shared] };
  circle.self = circle;
  t.strictSame(copyOf(circle), { a: { n: 1 }, b: [{ n: 1 }], self: '[circular]' });
  let deep: unknown = 'end';
  for (let n = 0; n < 100; n++) deep = { deep };
  t.match(stringifyFields({ deep }), '[too deep]');
});

t.test('of what is too much, the beginning and the number are reported', async (t) => {
  const long = copyOf({ long: Array.from({ length: 1_000_000 }, (_, n) => n) }) as { long: unknown[] };
  t.equal(long.long.length, 10_000);
  t.strictSame(long.long.at(-1), '… [990001 more]');
  const wide = stringifyFields({
    wide: Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`k${n}`, n])),
  });
  t.match(wide, /"…":"\[\d+ more\]"\}\}$/);
  t.match(stringifyFields({ text: 'x'.repeat(1_000_000) }), '… [cut: 1000000 characters]');
  t.ok(stringifyFields({ bytes: new Uint8Array(1e8) }).length < 100);
});
