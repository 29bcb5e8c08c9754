import t from 'tap';
import pinoTransport from '../../../src/log/bridges/pino.js';
import { Logger } from '../../../src/log/logger.js';
import { checkOptions } from '../../../src/log/logger-options.js';
import type { LogSink } from '../../../src/log/sink.js';

function setUp() {
  const records: Array<Parameters<LogSink['write']>> = [];
  const logger = new Logger({ sink: { write: (...record) => records.push(record) }, name: 'shop' });
  return { logger, records };
}

t.test('each level has its method', async (t) => {
  const { logger, records } = setUp();
  logger.level = 'debug';
  logger.debug('a');
  logger.info('b', { n: 1 });
  logger.warning('c');
  logger.warn('d');
  logger.error('e');
  logger.critical('f');
  t.strictSame(
    records.map(([level, name, message, fields]) => [level, name, message, fields]),
    [
      ['DEBUG', 'shop', 'a', undefined],
      ['INFO', 'shop', 'b', { n: 1 }],
      ['WARNING', 'shop', 'c', undefined],
      ['WARNING', 'shop', 'd', undefined],
      ['ERROR', 'shop', 'e', undefined],
      ['CRITICAL', 'shop', 'f', undefined],
    ],
  );
});

t.test('records below the level are dropped', async (t) => {
  const { logger, records } = setUp();
  logger.debug('no');
  t.equal(logger.level, 'INFO');
  t.notOk(logger.isEnabledFor('DEBUG'));
  t.ok(logger.isEnabledFor('INFO'));
  logger.level = 'error';
  logger.warning('no');
  logger.error('yes');
  t.equal(records.length, 1);
  t.throws(
    () => {
      logger.level = 'loud';
    },
    { code: 'LINOD_ERR_UNKNOWN_LEVEL' },
  );
});

t.test(
  'a child has a dotted name and more fields, and the level of its parent until it has its own',
  async (t) => {
    const { logger, records } = setUp();
    const child = logger.child('orders', { tenant: 7 }).child('mail', { to: 'x' });
    child.info('sent', { to: 'y' });
    t.match(records, [['INFO', 'shop.orders.mail', 'sent', { tenant: 7, to: 'y' }]]);
    logger.level = 'error';
    t.equal(child.level, 'ERROR');
    child.level = 'debug';
    t.equal(logger.level, 'ERROR');
    child.debug('own level');
    t.equal(records.length, 2);
  },
);

t.test('an error comes with its stack, its own fields and what caused it', async (t) => {
  const { logger, records } = setUp();
  const error = Object.assign(new RangeError('outer', { cause: new TypeError('inner') }), { code: 'E_FAR' });
  logger.error(error);
  logger.error('could not pay', error);
  logger.error('could not pay', { order: 1, error });
  logger.error('could not pay', 'thrown text');
  const [alone, beside, inFields, text] = records;
  t.equal(alone?.[2], 'RangeError: outer');
  t.match(alone?.[4], /^ {4}at /);
  for (const part of [/TypeError: inner/, /code: 'E_FAR'/]) t.match(alone?.[4], part);
  t.match(beside, [
    'ERROR',
    'shop',
    'could not pay',
    undefined,
    /^RangeError: outer\n {4}at .*TypeError: inner/s,
  ]);
  t.match(inFields, ['ERROR', 'shop', 'could not pay', { order: 1 }, /^RangeError: outer/]);
  t.strictSame(inFields?.[3], { order: 1 });
  t.strictSame(text?.slice(2, 4), ['could not pay', { detail: 'thrown text' }]);
});

t.test('a message is made only if it is wanted, and says so if it cannot be', async (t) => {
  const { logger, records } = setUp();
  logger.debug(() => String(t.fail('below the level')));
  logger.info(() => 'made', { n: 1 });
  logger.warning(() => new RangeError('an error'));
  logger.log(
    'ERROR',
    () => {
      throw new TypeError('no message');
    },
    { n: 2 },
  );
  t.match(records, [
    ['INFO', 'shop', 'made', { n: 1 }],
    ['WARNING', 'shop', 'RangeError: an error', undefined, /^ {4}at /],
    [
      'ERROR',
      'shop',
      'the message of this record could not be made',
      { n: 2 },
      /^TypeError: no message\n {4}at /,
    ],
  ]);
});

t.test(
  'all causes and all errors of an aggregate are shown with their stacks, circles as such',
  async (t) => {
    const { logger, records } = setUp();
    let error = new Error('cause 0');
    for (let n = 1; n < 12; n++) error = new Error(`cause ${n}`, { cause: error });
    logger.error('chain', error);
    for (let n = 0; n < 12; n++) t.match(records[0]?.[4], new RegExp(`Error: cause ${n}\\n +at `));
    const circular = new Error('round');
    circular.cause = new Error('and round', { cause: circular });
    logger.error('circle', { err: circular });
    t.match(records[1]?.[4], /and round[\s\S]*\[Circular/);
    logger.error('many', new AggregateError([new TypeError('one'), new RangeError('two')], 'both'));
    for (const part of [/AggregateError: both/, /TypeError: one\n +at/, /RangeError: two\n +at/])
      t.match(records[2]?.[4], part);
  },
);

t.test('values are redacted in fields, bound fields and errors', async (t) => {
  const records: Array<Parameters<LogSink['write']>> = [];
  const sink: LogSink = { write: (...record) => records.push(record) };
  const redact = ['password', 'user.token'];
  const logger = new Logger({ sink, name: 'shop', redact }).child('a', { password: 'p1' });
  const user = { token: 't1', id: 7 };
  logger.info('in', { user });
  logger.error(Object.assign(new Error('failed'), { password: 'p2', user }));
  t.strictSame(JSON.parse(JSON.stringify(records[0]?.[3])), {
    password: '[redacted]',
    user: { token: '[redacted]', id: 7 },
  });
  t.notMatch(JSON.stringify(records), /p1|p2|t1/);
  t.equal(user.token, 't1');
  t.throws(() => new Logger({ sink, name: 'shop', redact: ['a..b'] }), { code: 'LINOD_ERR_REDACT_PATH' });
});

t.test('what cannot be shown does not throw', async (t) => {
  const { logger, records } = setUp();
  const evil = new Proxy(new Error('x'), {
    get() {
      throw new Error('no');
    },
  });
  logger.error('evil', evil);
  t.equal(records.length, 1);
});

t.test('flush and close are those of the sink, if it has them', async (t) => {
  const calls: string[] = [];
  const sink = {
    write: () => {},
    flush: async (timeoutMs?: number) => void calls.push(`flush ${timeoutMs}`),
    close: async () => void calls.push('close'),
  };
  const logger = new Logger({ sink, name: 'x' }).child('y');
  await logger.flush(5);
  await logger.close();
  t.strictSame(calls, ['flush 5', 'close']);
  await setUp().logger.flush();
});

t.test('an option that there is not is refused, since it may be a misspelt redact', (t) => {
  const known = ['name', 'redact'];
  checkOptions('createLogger', { name: 'web' }, known);
  t.throws(() => checkOptions('createLogger', { redcat: ['password'] }, known), {
    code: 'LINOD_ERR_LOGGER_OPTION',
    message: 'createLogger has no option "redcat", did you mean "redact"?',
  });
  t.throws(() => checkOptions('LinodTransport', { colour: true }, known), {
    message: 'LinodTransport has no option "colour"; there are name, redact',
  });
  const options: object = { $context: {}, redcat: ['password'] };
  t.throws(() => pinoTransport(options), {
    message: 'linod/pino has no option "redcat", did you mean "redact"?',
  });
  t.end();
});
