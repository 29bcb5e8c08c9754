import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LevelTree } from '../../../src/log/levels/level-tree.js';
import { Logger } from '../../../src/log/logger.js';
import { LogSender } from '../../../src/log/sender/sender.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { testDirectory } from '../../support/directory.js';
import { BadTransport, readRecords } from '../../support/log.js';
import { Random } from '../../support/random.js';
import { turns } from '../../support/until.js';

/** A sender whose site is still being loaded. */
function setUp(t: Test) {
  const directory = testDirectory(t);
  const clock = new ManualClock();
  const levels = new LevelTree();
  const sender: LogSender = new LogSender({
    name: 'web',
    clock,
    onSettingsNeeded: () => {
      levels.configure({ root: 'INFO' });
      sender.begin({ spoolDirectory: join(directory, 'usual'), timezone: 'UTC' });
    },
    onTrouble: (error) => t.fail('no trouble', { error }),
  });
  const transport = new BadTransport(clock, new Random(1));
  /** The site is loaded. */
  const settle = () => {
    levels.configure({ root: 'WARNING', 'x.y': 'DEBUG' });
    sender.begin({ spoolDirectory: join(directory, 'spool'), timezone: 'Asia/Tokyo' });
    sender.connect(transport);
  };
  const logger = new Logger({ sink: sender, name: 'x', levels });
  const texts = (name: string) => {
    const path = join(directory, name);
    const files = existsSync(path)
      ? readdirSync(path).map((file) => readFileSync(join(path, file), 'utf8'))
      : [];
    return files.flatMap((text) => readRecords(text.replace(/^#.*\n/, ''))).map((record) => record.text);
  };
  return { sender, logger, settle, transport, clock, texts };
}

t.test('records wait for the site, are sorted out by its levels then, and keep their time', async (t) => {
  const { sender, logger, settle, transport, clock } = setUp(t);
  const detail = { n: 1 };
  logger.info('dropped');
  logger.warning('kept', detail);
  detail.n = 2;
  logger.child('y').debug('its own level');
  sender.write('INFO', 'x', 'from no logger');
  clock.advance(5000);
  settle();
  clock.advance(40);
  await turns();
  const text = Buffer.from(transport.delivered[0]?.bytes ?? []).toString();
  const lines = text.split('\n').map((line) => line.replace(/ web\[\d+\]/, ''));
  const time = '2026-01-01 09:00:00.000+09:00';
  t.strictSame(lines, [
    `${time} WARNING#1 x: kept {"n":1}`,
    `${time} DEBUG#2 x.y: its own level`,
    `${time} INFO#3 x: from no logger`,
    '',
  ]);
});

t.test('a message is not made before it is known whether it is wanted', async (t) => {
  const { logger, settle } = setUp(t);
  const made: string[] = [];
  const make = (text: string) => () => {
    made.push(text);
    return text;
  };
  logger.debug(make('no'));
  logger.child('y').debug(make('yes'));
  t.strictSame(made, []);
  settle();
  t.strictSame(made, ['yes']);
});

t.test('when the process ends first, the usual settings say what is kept and where', async (t) => {
  const { sender, logger, texts } = setUp(t);
  logger.debug('too low');
  logger.info('kept');
  sender.saveAtExit();
  t.strictSame(texts('usual'), ['kept']);
});

t.test('without settings, the end of the process throws nothing and reports the lost records', async (t) => {
  const lost: number[] = [];
  const onSettingsNeeded = () => {
    throw new Error('no site');
  };
  const onLost = (count: number) => void lost.push(count);
  const sender = new LogSender({ name: 'web', clock: new ManualClock(), onSettingsNeeded, onLost });
  sender.saveAtExit();
  sender.write('INFO', 'x', 'one');
  sender.write('INFO', 'x', 'two');
  sender.saveAtExit();
  t.strictSame(lost, [2]);
});

t.test('when too many come first, they do not stay in memory, and are sent later', async (t) => {
  const { sender, settle, transport, texts, clock } = setUp(t);
  for (let n = 0; n <= 10_001; n++) sender.write('INFO', 'x', String(n));
  clock.advance(40);
  t.equal(texts('usual').length, 10_002);
  settle();
  await turns();
  t.match(transport.delivered[0], { first: 1 });
});

t.test(
  'without a way to the writer, records wait in the spool, and close is content with that',
  async (t) => {
    const { sender, texts } = setUp(t);
    sender.write('ERROR', 'x', 'a');
    await sender.close();
    t.strictSame(texts('usual'), ['a']);
  },
);
