// What linod log tail is asked for and prints.

import t from 'tap';
import { jsonView, parseWantedText } from '../../../../src/commands/log/tail.js';
import { lineFormat } from '../../../../src/log/format/formats.js';
import { Timestamps } from '../../../../src/log/format/timestamp.js';

const at = Date.UTC(2026, 10, 24, 18, 0, 1, 123);

t.test('a record is the same JSON in whatever format it stands in the log', (t) => {
  const view = jsonView('Europe/Tallinn');
  for (const name of ['text', 'lino', 'json', 'logfmt'] as const) {
    const format = lineFormat(name);
    const time = new Timestamps('Europe/Tallinn', format.time).format(at);
    const head = format.head(time, 'INFO', 'web[812]', 4811, 'shop.orders');
    const shown = (message: string, fields?: Record<string, unknown>): unknown => {
      const text = format.record(head, { message, fields }).trimEnd();
      return JSON.parse(view({ text, level: 'INFO' }));
    };
    const record = {
      time: `2026-11-24T20:00:01.${name === 'lino' ? '000' : '123'}+02:00`,
      level: 'INFO',
      sender: 'web[812]',
      number: 4811,
      logger: 'shop.orders',
    };
    const fields = { order: 4711, by: 'card', says: '{"a":1}' };
    t.same(shown('order {4711} paid', fields), { ...record, message: 'order {4711} paid', fields }, name);
    t.same(shown('two\nlines', { a: 1 }), { ...record, message: 'two\nlines', fields: { a: 1 } }, name);
    t.same(shown('a {brace}'), { ...record, message: 'a {brace}' }, name);
  }
  t.same(JSON.parse(view({ text: 'Segmentation fault', level: undefined })), { text: 'Segmentation fault' });
  t.end();
});

t.test('a path is text, and a pattern has flags that JavaScript knows', (t) => {
  for (const path of ['/usr/bin', '/srv/shop/orders.js', '/tmp']) t.equal(parseWantedText(path), path);
  t.same(parseWantedText('/refund(ed)?/i'), /refund(ed)?/i);
  t.throws(() => parseWantedText('/a/g'), {
    code: 'LINOD_ERR_USAGE',
    message: /flags of --grep .* got: "g"/,
  });
  t.throws(() => parseWantedText('/(/'), { code: 'LINOD_ERR_USAGE' });
  t.end();
});
