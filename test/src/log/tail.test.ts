import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { RecordReader, tail } from '../../../src/log/tail.js';
import { until } from '../../support/until.js';

const head = (number: number, text: string) =>
  `2026-11-24 20:00:01.123+02:00 INFO web[812]#${number} shop: ${text}`;

t.test('the last lines are shown, whole ones only', async (t) => {
  const path = join(
    t.testdir({ 'lino.log': `${[1, 2, 3, 4].map((n) => head(n, 'x')).join('\n')}\n${head(5, 'unfini')}` }),
    'lino.log',
  );
  const seen: string[] = [];
  const found = await tail(path, { lines: 2, follow: false, signal: AbortSignal.abort() }, (lines) =>
    seen.push(...lines),
  );
  t.ok(found);
  t.same(seen, [head(3, 'x'), head(4, 'x')]);
});

t.test('a log that is not there is told, unless it is waited for', async (t) => {
  const path = join(t.testdir(), 'lino.log');
  t.notOk(
    await tail(path, { lines: 2, follow: false, signal: AbortSignal.abort() }, () =>
      t.fail('nothing to show'),
    ),
  );
});

t.test('what is added is shown, also after the log was moved away', async (t) => {
  const path = join(t.testdir({ 'lino.log': `${head(1, 'x')}\n` }), 'lino.log');
  const seen: string[] = [];
  const stop = new AbortController();
  const done = tail(path, { lines: 10, follow: true, signal: stop.signal }, (lines) => seen.push(...lines));
  await until('the first line is shown', () => seen.length === 1);
  appendFileSync(path, `${head(2, 'é')}\n`);
  await until('the second line is shown', () => seen.length === 2);
  renameSync(path, `${path}.1`);
  writeFileSync(path, `${head(3, 'x')}\n`);
  await until('the line in the new file is shown', () => seen.length === 3);
  stop.abort();
  await done;
  t.same(seen, [head(1, 'x'), head(2, 'é'), head(3, 'x')]);
});

t.test('a record is one value, however its lines come', async (t) => {
  const reader = new RecordReader();
  t.same(reader.read(['    at the end of something older']), []);
  t.match(reader.read([head(1, 'one line')]), [{ number: 1, sender: 'web[812]', message: 'one line' }]);
  t.same(reader.read([`${head(2, 'failed')} `, '    Error: no ']), []);
  t.match(reader.read(['        at somewhere', head(3, 'next')]), [
    { number: 2, message: 'failed\nError: no\n    at somewhere' },
    { number: 3, message: 'next' },
  ]);
});
