// How the page of the log draws what comes faster than it can.

import t from 'tap';
import { type LogItem, LogQueue } from '../../../src/console/page/log-queue.js';
import { range } from '../../support/log.js';
import { until } from '../../support/until.js';

function lines(from: number, to: number): LogItem[] {
  return range(from, to).map((number) => ({
    id: String(number),
    at: null,
    level: null,
    logger: null,
    sender: null,
    number,
    text: `line ${number}`,
  }));
}

/** A queue that keeps what it draws, and a page that shows a frame when it is told to. */
function makeQueue() {
  const drawn: Array<{ readonly items: readonly LogItem[]; readonly after: string }> = [];
  let show: (() => void) | undefined;
  const queue = new LogQueue(
    (items, after) => drawn.push({ items, after }),
    (then) => {
      show = then;
    },
  );
  const showAll = async (count: number) => {
    for (let frame = drawn.length; frame < count; frame++) {
      show?.();
      await until('the next lines are drawn', () => drawn.length > frame);
    }
  };
  return { queue, drawn, showAll };
}

t.test('lines are drawn in their order, a part at once, and none before the last were shown', async (t) => {
  const { queue, drawn, showAll } = makeQueue();
  for (let n = 0; n < 1200; n += 100) queue.add(lines(n + 1, n + 100), `after ${n + 100}`);
  t.equal(drawn.length, 1);
  await showAll(4);
  t.same(
    drawn.map(({ items, after }) => [items.length, after]),
    [
      [100, 'after 100'],
      [500, 'after 600'],
      [500, 'after 1100'],
      [100, 'after 1200'],
    ],
  );
  t.same(
    drawn.flatMap(({ items }) => items),
    lines(1, 1200),
  );
});

t.test('when too many wait they are left out, and counted', async (t) => {
  const { queue, drawn, showAll } = makeQueue();
  queue.add(lines(1, 500), 'first');
  queue.add([{ id: 'gap', omitted: 1000 }, ...lines(1501, 2000)], 'second');
  for (let n = 2000; n < 8000; n += 500) queue.add(lines(n + 1, n + 500), `after ${n + 500}`);
  await showAll(3);
  const [, omitted, last] = drawn;
  t.match(omitted, { items: [{ omitted: 1000 + 500 + 5500 }], after: 'after 7500' });
  t.same(last, { items: lines(7501, 8000), after: 'after 8000' });
});

t.test('what is forgotten is not drawn', async (t) => {
  const { queue, drawn, showAll } = makeQueue();
  queue.add(lines(1, 1), 'first');
  queue.add(lines(2, 2), 'second');
  queue.clear();
  queue.add(lines(3, 3), 'third');
  await showAll(2);
  t.same(
    drawn.map(({ after }) => after),
    ['first', 'third'],
  );
});
