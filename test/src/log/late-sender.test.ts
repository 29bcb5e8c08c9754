import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LateSender } from '../../../src/log/late-sender.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { BadTransport, readRecords } from '../../support/log.js';
import { Random } from '../../support/random.js';
import { turns, until } from '../../support/until.js';

function setUp(t: Test) {
  const directory = t.testdir();
  const clock = new ManualClock();
  const sender = new LateSender({
    name: 'web',
    clock,
    fallback: { spoolDirectory: join(directory, 'fallback'), level: 'INFO', timezone: 'UTC' },
    onTrouble: (error) => t.fail('no trouble', { error }),
  });
  const settings = {
    spoolDirectory: join(directory, 'spool'),
    level: 'WARNING' as const,
    timezone: 'Asia/Tokyo',
  };
  const transport = new BadTransport(clock, new Random(1));
  const texts = (name: string) => {
    const path = join(directory, name);
    const files = existsSync(path)
      ? readdirSync(path).map((file) => readFileSync(join(path, file), 'utf8'))
      : [];
    return files.flatMap((text) => readRecords(text.replace(/^#.*\n/, ''))).map((record) => record.text);
  };
  return { sender, settings, transport, clock, texts };
}

t.test('records wait for the site, and keep their time', async (t) => {
  const { sender, settings, transport, clock } = setUp(t);
  sender.write('INFO', 'x', 'filtered', undefined, undefined, true);
  sender.write('INFO', 'x', 'kept');
  clock.advance(5000);
  sender.settle(settings, transport);
  clock.advance(40);
  await turns();
  const [batch] = transport.delivered;
  const text = batch?.type === 'log.records' ? Buffer.from(batch.bytes).toString() : '';
  t.match(text, /^2026-01-01 09:00:00\.000\+09:00 INFO web\[\d+\]#1 x: kept\n$/);
});

t.test('the level of the site is told, whether it is known already or not', async (t) => {
  const { sender, settings } = setUp(t);
  const told: string[] = [];
  sender.onSettled((level) => told.push(level));
  sender.settle(settings);
  sender.onSettled((level) => told.push(level));
  t.strictSame(told, ['WARNING', 'WARNING']);
});

t.test('when the process ends first, records go to the fallback spool', async (t) => {
  const { sender, texts } = setUp(t);
  sender.write('DEBUG', 'x', 'too low', undefined, undefined, true);
  sender.write('INFO', 'x', 'kept', undefined, undefined, true);
  sender.abandon();
  t.strictSame(texts('fallback'), ['kept']);
});

t.test('when too many come first, they do not stay in memory, and are sent later', async (t) => {
  const { sender, settings, transport, texts, clock } = setUp(t);
  for (let n = 0; n <= 10_001; n++) sender.write('INFO', 'x', String(n));
  clock.advance(40);
  t.equal(texts('fallback').length, 10_002);
  sender.settle(settings, transport);
  await until('it is sent', () => {
    clock.advance(20);
    return transport.delivered.length > 0;
  });
  transport.answer({ type: 'log.ready' });
  await turns();
  t.match(transport.delivered[1], { type: 'log.records', first: 1 });
});

t.test('flush and close wait for the site', async (t) => {
  const { sender, settings, texts, clock } = setUp(t);
  sender.write('ERROR', 'x', 'a');
  const closed = sender.close();
  sender.settle(settings);
  await turns();
  clock.advance(5000);
  await closed;
  t.strictSame(texts('spool'), ['a']);
});
