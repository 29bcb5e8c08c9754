import { inspect } from 'node:util';
import t from 'tap';
import { Logger } from '../../../src/log/logger.js';
import { Redaction } from '../../../src/log/redaction.js';

const plain = (value: unknown): Record<string, unknown> => JSON.parse(JSON.stringify(value));

t.test('what lies at the end of a path is replaced, and the caller keeps what was there', async (t) => {
  const fields = {
    password: 'p1',
    user: { name: 'Ann', token: 't1', password: 'p2' },
    headers: { cookie: 'c1', 'set-cookie': 'c2', accept: '*/*' },
    items: [{ secret: 's1', n: 1 }, { secret: 's2', n: 2 }, 'text'],
    deep: { a: { key: 'k1', b: 2 }, c: { key: 'k2' }, d: null },
    absent: undefined,
  };
  const frozen = Object.freeze(structuredClone(fields));
  const paths = [
    'password',
    'user.token',
    'headers["set-cookie"]',
    'items[*].secret',
    'deep.*.key',
    'no.such',
  ];
  const found = new Redaction(paths).apply(frozen);
  t.strictSame(plain(found), {
    password: '[redacted]',
    user: { name: 'Ann', token: '[redacted]', password: 'p2' },
    headers: { cookie: 'c1', 'set-cookie': '[redacted]', accept: '*/*' },
    items: [{ secret: '[redacted]', n: 1 }, { secret: '[redacted]', n: 2 }, 'text'],
    deep: { a: { key: '[redacted]', b: 2 }, c: { key: '[redacted]' }, d: null },
  });
  t.strictSame(frozen, fields);
  t.strictSame(plain(new Redaction(['headers.*', 'items[1]']).apply(fields)), {
    ...plain(fields),
    ...{ headers: { cookie: '[redacted]', 'set-cookie': '[redacted]', accept: '[redacted]' } },
    ...{ items: [{ secret: 's1', n: 1 }, '[redacted]', 'text'] },
  });
  t.strictSame(plain(new Redaction(['*']).apply({ a: 1, b: { c: 2 } })), {
    a: '[redacted]',
    b: '[redacted]',
  });
});

t.test('a value is found wherever JSON would show it', async (t) => {
  class User {
    readonly #token = 't1';
    toJSON(): object {
      return { token: this.#token, id: 7 };
    }
  }
  const circular: Record<string, unknown> = { token: 't2' };
  circular.self = circular;
  const redaction = new Redaction([
    'user.token',
    'map.token',
    'circular.token',
    'failure.token',
    '__proto__.token',
  ]);
  const text = JSON.stringify(
    redaction.apply({
      user: new User(),
      map: new Map([['token', 't3']]),
      circular,
      failure: Object.assign(new Error('x'), { token: 't4' }),
      ['__proto__']: { token: 't5' },
      get broken() {
        throw new Error('no');
      },
    }),
  );
  t.notMatch(text, /t[1-5]/);
  t.match(text, '[unreadable: Error: no]');
  const evil = new Proxy(
    {},
    {
      ownKeys: () => {
        throw new Error('no');
      },
    },
  );
  t.match(redaction.apply(evil), { unreadable: 'Error: no' });
});

t.test('the own fields of errors and of their causes are replaced, too', async (t) => {
  const cause = Object.assign(new TypeError('inner'), { config: { headers: { authorization: 'a1' } } });
  const error = Object.assign(new RangeError('outer', { cause }), { password: 'p1', config: { url: '/x' } });
  cause.cause = error;
  const many = new AggregateError([error, 'text'], 'many');
  const redaction = new Redaction(['error.config.headers.authorization', 'password']);
  const text = inspect(redaction.applyToError(many), { depth: 9 });
  t.notMatch(text, /a1|p1/);
  for (const part of [
    /AggregateError: many/,
    /RangeError: outer\n +at /,
    /TypeError: inner/,
    /'text'/,
    "url: '/x'",
  ])
    t.match(text, part);
  t.equal(error.password, 'p1');
  t.equal(cause.config.headers.authorization, 'a1');
});

t.test('a path that says nothing is refused', async (t) => {
  for (const path of ['', '.', '.a', 'a.', 'a..b', 'a[', 'a[]', 'a]b', 'a[x]', 'a"b', 'a*'])
    t.throws(() => new Redaction([path]), { code: 'LINOD_ERR_REDACT_PATH' }, path);
  t.throws(() => new Redaction([7 as unknown as string]), { code: 'LINOD_ERR_REDACT_PATH' });
});

t.test('an object that lies in itself is not shown by its second name', (t) => {
  const said: string[] = [];
  const sink = {
    write: (_level: string, _logger: string, message: string, fields?: object, trace?: string) =>
      said.push(`${message} ${JSON.stringify(fields)} ${trace}`),
  };
  const logger = new Logger({ sink, name: 'shop', redact: new Redaction(['password', 'user.token']) });
  const user: Record<string, unknown> = { token: 's1' };
  const order: Record<string, unknown> = { password: 's2', user, n: 7 };
  Object.assign(order, { self: order });
  Object.assign(user, { order, self: user });
  logger.info('order', order);
  logger.child('mail', order).warning('bound', { n: 8 });
  const error = Object.assign(new Error('failed'), { password: 's3' });
  logger.error(Object.assign(error, { self: error, nested: { error } }));
  t.notMatch(said.join('\n'), /s[123]/);
  t.equal(said.length, 3);
  t.match(said[0], /"n":7/);
  t.end();
});
