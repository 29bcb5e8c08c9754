import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../../../src/clock.js';
import { formatOverride, type LevelOverride, parseOverride } from '../../../../src/log/levels/override.js';
import { maxOverrides, OverridesDirectory } from '../../../../src/log/levels/overrides-directory.js';
import { Receipts } from '../../../../src/log/levels/receipts.js';
import { SiteLevels } from '../../../../src/log/levels/site-levels.js';
import { Logger } from '../../../../src/log/logger.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { testDirectory } from '../../../support/directory.js';
import { until } from '../../../support/until.js';

function setUp(t: Test, clock = systemClock) {
  const directory = new OverridesDirectory(join(testDirectory(t), 'log'));
  const levels = new SiteLevels({ directory, clock, label: 'web[812]' });
  t.teardown(() => levels.close());
  const override = (change: Partial<LevelOverride>): LevelOverride => ({
    ...{ name: 'shop', level: 'DEBUG', at: clock.now(), until: null, by: 'ann' },
    ...change,
  });
  return { directory, levels, override, clock };
}

t.test('a process hears what is written, also after the directory was removed', async (t) => {
  const { directory, levels, override } = setUp(t);
  const logger = new Logger({ sink: { write: () => {} }, name: 'shop', levels: levels.tree });
  levels.start({ root: 'INFO' });
  t.equal(logger.level, 'INFO');
  directory.write(override({}));
  await until('it is heard', () => logger.level === 'DEBUG');
  directory.write(override({ level: null, at: Date.now() + 1 }));
  await until('it is taken back', () => logger.level === 'INFO');
  rmSync(directory.path, { recursive: true });
  await until('the directory is made again', () => {
    try {
      return readdirSync(directory.path).length === 0;
    } catch {
      return false;
    }
  });
  directory.write(override({ level: 'ERROR' }));
  await until('it is heard again', () => logger.level === 'ERROR');
});

t.test('a level ends by itself, whether or not anything is read again', async (t) => {
  const { directory, levels, override, clock } = setUp(t, new ManualClock());
  const manual = clock as ManualClock;
  directory.write(override({ until: clock.now() + 900_000 }));
  directory.write(override({ name: 'blog', level: 'ERROR', until: clock.now() - 1 }));
  levels.start({ root: 'INFO' });
  t.equal(levels.tree.threshold('shop.orders'), 10);
  t.equal(levels.tree.threshold('blog'), 20, 'it was over before');
  t.match(levels.overrides, [{ name: 'shop' }]);
  manual.advance(899_999);
  t.equal(levels.tree.threshold('shop'), 10);
  manual.advance(1);
  t.equal(levels.tree.threshold('shop'), 20);
});

t.test('of two for one name the later one counts, whichever comes first', async (t) => {
  const { directory, override } = setUp(t);
  t.ok(directory.write(override({ level: 'ERROR', at: 2000 })));
  t.notOk(directory.write(override({ level: 'DEBUG', at: 1000 })));
  t.notOk(directory.write(override({ level: 'DEBUG', at: 2000 })));
  t.match(directory.read(), [{ name: 'shop', level: 'ERROR' }]);
  t.ok(directory.write(override({ level: null, at: 3000 })));
  t.match(directory.read(), [{ name: 'shop', level: null }]);
});

t.test('what makes no sense is passed over and told; what is old is swept', async (t) => {
  const { directory, levels, override } = setUp(t);
  const day = 86_400_000;
  directory.write(override({ name: 'good' }));
  directory.write(override({ name: 'over', at: Date.now() - 9 * day, until: Date.now() - 8 * day }));
  directory.write(override({ name: 'back', level: null, at: Date.now() - day }));
  const good = formatOverride(override({}));
  for (const [name, text] of [
    ['empty.json', ''],
    ['cut.json', good.slice(0, 20)],
    ['loud.json', good.replace('DEBUG', 'LOUD')],
    ['when.json', good.replace(/"at":"[^"]*"/, '"at":"soon"')],
    ['climbs.json', good.replace('}', ',"receipts":"../.."}')],
    ['note.txt', 'no level'],
  ] as const)
    writeFileSync(join(directory.path, name), text);
  const bad: string[] = [];
  const found = directory.read((path) => bad.push(path.split('/').at(-1) ?? ''));
  t.strictSame(found.map(({ name }) => name).sort(), ['back', 'good', 'over']);
  t.strictSame(bad.sort(), ['climbs.json', 'cut.json', 'empty.json', 'loud.json', 'when.json']);
  levels.start({ root: 'INFO' });
  t.equal(levels.tree.threshold('good'), 10);
  directory.sweep(Date.now());
  t.strictSame(
    directory
      .read()
      .map(({ name }) => name)
      .sort(),
    ['back', 'good'],
  );
});

t.test('no name gets out of the directory, and what is written is what is read', async (t) => {
  const { directory, override } = setUp(t);
  for (const name of ['../x', 'a/b', '', '.', '..', 'a..b', '.a', 'a.', 'a b', 'ä', 'x'.repeat(121)]) {
    t.throws(() => directory.write(override({ name })), { code: 'LINOD_ERR_LOGGER_NAME' }, name);
  }
  const one = override({ until: Date.now() + 5, receipts: '.receipts-1-x' });
  t.strictSame(parseOverride('shop', formatOverride(one)), one);
});

t.test('more names than can be of use are not read', async (t) => {
  const { directory } = setUp(t);
  mkdirSync(directory.path, { recursive: true });
  const text = formatOverride({ name: '', level: 'DEBUG', at: 1, until: null, by: 'ann' });
  for (let n = 0; n < maxOverrides + 5; n++) writeFileSync(join(directory.path, `n${n}.json`), text);
  t.equal(directory.read().length, maxOverrides);
});

t.test('who has taken a change over leaves a receipt where one is asked for', async (t) => {
  const { directory, levels, override } = setUp(t);
  levels.start({ root: 'INFO' });
  const receipts = new Receipts(directory.path, Date.now());
  directory.write(override({ receipts: receipts.name }));
  await until('it is left', () => receipts.read().length > 0);
  t.strictSame(receipts.read(), ['web[812]']);
  receipts.remove();
  directory.write(override({ level: 'ERROR', at: Date.now() + 1, receipts: '.receipts-1-gone' }));
  await until('nobody has to wait for it', () => levels.tree.threshold('shop') === 40);
});
