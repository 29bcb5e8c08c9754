import t from 'tap';
import type { LevelName } from '../../../../src/base/log-levels.js';
import { atMost, LevelTree } from '../../../../src/log/levels/level-tree.js';

const overrides = (levels: Record<string, LevelName>) => new Map(Object.entries(levels));

t.test('the nearest name decides, and for one name the latest word', async (t) => {
  const tree = new LevelTree({ root: 'INFO', shop: 'WARNING', 'shop.orders.mail': 'ERROR' });
  t.equal(tree.threshold('blog'), 20);
  t.equal(tree.threshold('shopping'), 20);
  t.equal(tree.threshold('shop'), 30);
  t.equal(tree.threshold('shop.orders'), 30);
  t.equal(tree.threshold('shop.orders.mail.smtp'), 40);
  const own = (name: string) => (name === 'shop' ? 'DEBUG' : undefined);
  t.equal(tree.threshold('shop.orders', own), 10, 'code before settings');
  t.equal(tree.threshold('shop.orders.mail', own), 40, 'the nearer name before the farther');
  tree.override(overrides({ shop: 'CRITICAL', root: 'DEBUG' }));
  t.equal(tree.threshold('shop.orders', own), 50, 'run time before code');
  t.equal(tree.threshold('blog'), 10);
  tree.override(new Map());
  t.equal(tree.threshold('blog'), 20);
});

t.test('a tree that is not settled wants everything', async (t) => {
  const tree = new LevelTree();
  t.notOk(tree.isSettled);
  t.equal(tree.threshold('shop'), 0);
  const { version } = tree;
  tree.configure({ root: 'ERROR' });
  t.ok(tree.isSettled);
  t.not(tree.version, version);
  t.equal(tree.threshold('shop'), 40);
});

t.test('one who wants more lowers the level, but not one that the program set for that logger', async (t) => {
  const tree = new LevelTree({ root: 'WARNING', chatty: 'DEBUG' });
  const more = atMost(tree, 'INFO');
  t.equal(more.threshold('a.b'), 20);
  t.equal(more.threshold('chatty.b'), 10);
  t.equal(
    more.threshold('a', () => 'ERROR'),
    40,
  );
  t.equal(more.version, tree.version);
  more.touch();
  t.equal(more.version, tree.version);
});
