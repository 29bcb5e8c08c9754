import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LateSender } from '../../../src/log/late-sender.js';
import { LevelTree } from '../../../src/log/levels/level-tree.js';
import { Logger } from '../../../src/log/logger.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { testDirectory } from '../../support/directory.js';
import { BadTransport, readRecords } from '../../support/log.js';
import { Random } from '../../support/random.js';
import { turns, until } from '../../support/until.js';

function setUp(t: Test) {
  const directory = testDirectory(t);
  const clock = new ManualClock();
  const levels = new LevelTree();
  const sender = new LateSender({
    name: 'web',
    clock,
    fallback: {
      spoolDirectory: join(directory, 'fallback'),
      timezone: 'UTC',
      settleLevels: () => levels.configure({ root: 'INFO' }),
    },
    onTrouble: (error) => t.fail('no trouble', { error }),
  });
  const settings = {
    spoolDirectory: join(directory, 'spool'),
    timezone: 'Asia/Tokyo',
    settleLevels: () => levels.configure({ root: 'WARNING', 'x.y': 'DEBUG' }),
  };
  const logger = new Logger({ sink: sender, name: 'x', levels });
  const transport = new BadTransport(clock, new Random(1));
  const texts = (name: string) => {
    const path = join(directory, name);
    const files = existsSync(path)
      ? readdirSync(path).map((file) => readFileSync(join(path, file), 'utf8'))
      : [];
    return files.flatMap((text) => readRecords(text.replace(/^#.*\n/, ''))).map((record) => record.text);
  };
  return { sender, logger, levels, settings, transport, clock, texts };
}

t.test('records wait for the site, are sorted out by its levels then, and keep their time', async (t) => {
  const { sender, logger, settings, transport, clock } = setUp(t);
  const detail = { n: 1 };
  logger.info('dropped');
  logger.warning('kept', detail);
  detail.n = 2;
  logger.child('y').debug('its own level');
  sender.write('INFO', 'x', 'from no logger');
  clock.advance(5000);
  sender.settle(settings, transport);
  clock.advance(40);
  await turns();
  const [batch] = transport.delivered;
  const file = batch?.type === 'log.spooled' ? batch.file : '';
  const text = readFileSync(join(settings.spoolDirectory, file), 'utf8').replace(/^#.*\n/, '');
  const told = text.split('\n').map((line) => line.replace(/ web\[\d+\]/, ''));
  const time = '2026-01-01 09:00:00.000+09:00';
  t.strictSame(told, [
    `${time} WARNING#1 x: kept {"n":1}`,
    `${time} DEBUG#2 x.y: its own level`,
    `${time} INFO#3 x: from no logger`,
    '',
  ]);
});

t.test('a message is not made before it is known whether it is wanted', async (t) => {
  const { sender, logger, settings, transport, clock } = setUp(t);
  const made: string[] = [];
  const make = (text: string) => () => {
    made.push(text);
    return text;
  };
  logger.debug(make('no'));
  logger.child('y').debug(make('yes'));
  t.strictSame(made, []);
  sender.settle(settings, transport);
  t.strictSame(made, ['yes']);
  clock.advance(40);
  await turns();
  t.match(transport.delivered, [{ type: 'log.spooled', count: 1 }]);
});

t.test(
  'when the process ends first, the fallback says what is kept, and records go to its spool',
  async (t) => {
    const { sender, logger, texts } = setUp(t);
    logger.debug('too low');
    logger.info('kept');
    sender.abandon();
    t.strictSame(texts('fallback'), ['kept']);
  },
);

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
  t.match(transport.delivered[1], { type: 'log.spooled', first: 1 });
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
