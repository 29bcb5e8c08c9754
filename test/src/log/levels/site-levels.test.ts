import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../../../src/base/clock.js';
import {
  type LevelOverride,
  LevelsFile,
  maxOverrides,
  parseLogLevels,
  receiptsDirectory,
} from '../../../../src/log/levels/overrides.js';
import { SiteLevels } from '../../../../src/log/levels/site-levels.js';
import { Logger } from '../../../../src/log/logger.js';
import { checkLoggerName } from '../../../../src/site/log-settings.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { testDirectory } from '../../../support/directory.js';
import { until } from '../../../support/until.js';

const day = 86_400_000;

function setUp(t: Test, clock = systemClock) {
  const logDirectory = join(testDirectory(t), 'log');
  const file = new LevelsFile(logDirectory);
  const levels = new SiteLevels({ logDirectory, clock, label: 'web[812]' });
  t.teardown(() => levels.close());
  const override = (change: Partial<LevelOverride>): LevelOverride => ({
    ...{ name: 'shop', level: 'DEBUG', at: clock.now(), until: null, by: 'ann' },
    ...change,
  });
  const write = (...overrides: LevelOverride[]) => file.write(overrides, clock.now());
  return { file, levels, override, write, clock, logDirectory };
}

t.test('a process hears what is written, also after the directory was removed', async (t) => {
  const { file, levels, override, write } = setUp(t);
  const logger = new Logger({ sink: { write: () => {} }, name: 'shop', levels: levels.tree });
  levels.start({ root: 'INFO' });
  t.equal(logger.level, 'INFO');
  write(override({}));
  await until('it is heard', () => logger.level === 'DEBUG');
  write(override({ level: null, at: Date.now() + 1 }));
  await until('it is taken back', () => logger.level === 'INFO');
  write(override({ level: 'WARNING', at: Date.now() + 2 }));
  await until('it is heard once more', () => logger.level === 'WARNING');
  rmSync(dirname(file.path), { recursive: true });
  await until('nothing holds any more', () => logger.level === 'INFO');
  write(override({ level: 'ERROR' }));
  await until('it is heard again', () => logger.level === 'ERROR');
});

t.test('a level ends by itself, although nothing is written', async (t) => {
  const { levels, override, write, clock } = setUp(t, new ManualClock());
  const manual = clock as ManualClock;
  write(
    override({ until: clock.now() + 900_000 }),
    override({ name: 'blog', level: 'ERROR', until: clock.now() - 1 }),
  );
  levels.start({ root: 'INFO' });
  t.equal(levels.tree.threshold('shop.orders'), 10);
  t.equal(levels.tree.threshold('blog'), 20, 'it was over before');
  await manual.advance(899_000);
  t.equal(levels.tree.threshold('shop'), 10);
  await manual.advance(2000);
  t.equal(levels.tree.threshold('shop'), 20);
});

t.test('of two for one name the later one counts, whichever comes first', async (t) => {
  const { file, override, write } = setUp(t, new ManualClock());
  t.ok(write(override({ level: 'ERROR', at: 2e12 })));
  t.notOk(write(override({ level: 'DEBUG', at: 1e12 })));
  t.notOk(write(override({ level: 'DEBUG', at: 2e12 })));
  t.match(file.read(), [{ name: 'shop', level: 'ERROR' }]);
  t.ok(write(override({ level: null, at: 3e12 }), override({ name: 'blog' })));
  t.match(file.read(), [
    { name: 'shop', level: null },
    { name: 'blog', level: 'DEBUG' },
  ]);
});

t.test('a file that makes no sense leaves the levels as they are; what is old is forgotten', async (t) => {
  const { file, levels, override, write } = setUp(t);
  write(
    override({ name: 'over', at: Date.now() - 9 * day, until: Date.now() - 8 * day }),
    override({ name: 'back', level: null, at: Date.now() - day }),
    override({ name: 'good' }),
  );
  t.strictSame(
    file.read()?.map(({ name }) => name),
    ['back', 'good'],
  );
  levels.start({ root: 'INFO' });
  const good = JSON.stringify([override({})]);
  for (const text of [
    '',
    '{}',
    good.slice(0, 20),
    good.replace('DEBUG', 'LOUD'),
    good.replace(/"at":\d+/, '"at":"soon"'),
    good.replace('"shop"', '"../x"'),
    JSON.stringify(Array.from({ length: maxOverrides + 1 }, (_, n) => override({ name: `n${n}` }))),
  ]) {
    writeFileSync(file.path, text);
    t.equal(file.read(), undefined, text.slice(0, 100));
    levels.poll();
    t.equal(levels.tree.threshold('good'), 10);
  }
  t.ok(write(override({ name: 'next', level: 'ERROR' })));
  levels.poll();
  t.equal(levels.tree.threshold('next'), 40);
});

t.test('only names that a logger can have are taken, from the command line and from messages', async (t) => {
  const { override } = setUp(t);
  for (const name of ['../x', 'a/b', '', '.', '..', 'a..b', '.a', 'a.', 'a b', 'ä', 'x'.repeat(121)]) {
    t.throws(() => checkLoggerName(name), { code: 'LINOD_ERR_LOGGER_NAME' }, name);
    const message = { type: 'log.levels', levels: [override({ name })] };
    t.throws(() => parseLogLevels(message), { code: 'LINOD_ERR_BAD_MESSAGE' }, name);
  }
  t.equal(checkLoggerName('shop.orders'), 'shop.orders');
});

t.test('levels are set for as many names as can be of use', async (t) => {
  const { file, override, write } = setUp(t);
  const many = Array.from({ length: maxOverrides }, (_, n) => override({ name: `n${n}` }));
  t.ok(write(...many));
  t.throws(() => write(override({})), { code: 'LINOD_ERR_TOO_MANY_LEVELS' });
  t.equal(file.read()?.length, maxOverrides);
});

t.test('who has taken a change over leaves a receipt while somebody waits for it', async (t) => {
  const { levels, override, write, logDirectory } = setUp(t);
  levels.start({ root: 'INFO' });
  const receipts = receiptsDirectory(logDirectory);
  mkdirSync(receipts, { recursive: true });
  write(override({}));
  await until('it is left', () => readdirSync(receipts).length > 0);
  t.strictSame(readdirSync(receipts).map(decodeURIComponent), ['web[812]']);
  rmSync(receipts, { recursive: true });
  write(override({ level: 'ERROR', at: Date.now() + 1 }));
  await until('nobody waits, and it counts all the same', () => levels.tree.threshold('shop') === 40);
  t.notOk(existsSync(receipts));
});
