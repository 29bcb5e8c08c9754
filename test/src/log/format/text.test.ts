import t from 'tap';
import { parseRecord } from '../../../../src/log/format/formats.js';
import { maxRecordBytes } from '../../../../src/log/format/line-format.js';
import { textFormat } from '../../../../src/log/format/lines.js';
import { loggerName, senderLabel } from '../../../../src/log/names.js';
import { batchProblem } from '../../../support/log.js';

const time = '2026-11-24 20:00:01.123+02:00';
const formatRecord = textFormat.record;
const head = textFormat.head(time, 'INFO', 'web[812]', 4811, 'shop.orders');

t.test('a record is one line with time, level, sender, number, logger, message and fields', async (t) => {
  t.equal(
    formatRecord(head, { message: 'order paid', fields: { order: 4711, by: 'card' } }),
    `${time} INFO web[812]#4811 shop.orders: order paid {"order":4711,"by":"card"}\n`,
  );
  t.equal(formatRecord(head, { message: '' }), `${time} INFO web[812]#4811 shop.orders:\n`);
});

t.test('a record is read back', async (t) => {
  t.match(parseRecord(formatRecord(head, { message: 'order: paid', fields: { a: 1 }, trace: 'at x' })), {
    format: textFormat,
    time,
    level: 'INFO',
    sender: 'web[812]',
    number: 4811,
    logger: 'shop.orders',
    message: 'order: paid {"a":1}\nat x',
  });
  t.match(parseRecord(formatRecord(head, { message: '' })), { message: '', number: 4811 });
  t.match(parseRecord(`${time} WARNING - linod.log: 3 records lost`), { sender: undefined, number: 0 });
  t.equal(parseRecord('    at main (shop.js:3)'), undefined);
  t.equal(parseRecord('24 something else'), undefined);
});

t.test('further lines are indented, and each line but the last ends in a space', async (t) => {
  t.equal(
    formatRecord(head, { message: 'two\r\n\nlines  \n', fields: { a: 1 } }),
    `${head}two {"a":1} \n     \n    lines\n`,
  );
  t.equal(
    formatRecord(head, { message: 'text', trace: 'Error: boom\n  at x' }),
    `${head}text \n    Error: boom \n      at x\n`,
  );
});

t.test('what a terminal or a reader could be deceived with is shown', async (t) => {
  const text = (message: string) => formatRecord(head, { message }).slice(head.length);
  t.equal(text('\x1b[31mred\x07'), '\\x1b[31mred\\x07\n');
  t.equal(text('a\rb\tc\x7f\x9b'), 'a\\x0db\tc\\x7f\\x9b\n');
  t.equal(text('half \ud83d, whole \u{1f600}'), 'half \\ud83d, whole \u{1f600}\n');
  t.equal(text('left\u202eri\u2028ght'), 'left\\u202eri\\u2028ght\n');
  t.equal(
    formatRecord(head, { message: 'm', fields: { a: '\x7f\u202e\n' } }),
    `${head}m {"a":"\\x7f\\u202e\\n"}\n`,
  );
});

t.test('fields that JSON does not have are reported all the same', async (t) => {
  const circular: Record<string, unknown> = { n: 1n, error: new RangeError('far') };
  circular.self = circular;
  const json = (fields: Record<string, unknown>) =>
    formatRecord(head, { message: 'm', fields }).slice(head.length + 2);
  t.equal(json(circular), '{"n":"1","error":{"name":"RangeError","message":"far"},"self":"[circular]"}\n');
  t.equal(json({ error: new TypeError('bad') }), '{"error":{"name":"TypeError","message":"bad"}}\n');
  const trap = {
    get a() {
      throw new Error('no');
    },
  };
  t.equal(json({ trap }), '{"trap":{"a":"[unreadable: Error: no]"}}\n');
});

t.test('a record above the limit is cut between characters and says so', async (t) => {
  for (const message of ['ä'.repeat(50_000), 'x'.repeat(10_000_000), `a\n${'€\n'.repeat(40_000)}`]) {
    const record = formatRecord(head, { message });
    t.ok(Buffer.byteLength(record) <= maxRecordBytes);
    t.match(record, /… \[cut: \d+ bytes\]\n$/);
    t.notMatch(record, '\ufffd');
    t.equal(batchProblem(Buffer.from(record), 'web[812]', 4811, 1), undefined);
  }
  const whole = formatRecord(head, { message: 'x'.repeat(maxRecordBytes - head.length - 1) });
  t.equal(whole.length, maxRecordBytes);
  t.notMatch(whole, 'cut:');
});

t.test('names have no characters that belong to the line', async (t) => {
  t.equal(senderLabel('my web: #1', 7), 'my_web___1[7]');
  t.equal(senderLabel('', 7), 'process[7]');
  t.equal(loggerName('shop orders:é'), 'shop_orders__');
  t.equal(loggerName(''), 'root');
});
