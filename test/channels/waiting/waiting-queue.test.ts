import t from 'tap';
import { WaitingQueue } from '../../../channels/waiting/waiting-queue.js';
import { Random } from '../../support/random.js';

t.test('items come out in the order they went in, however puts and takes mix', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const queue = new WaitingQueue<number>();
  const [put, taken]: [number[], number[]] = [[], []];
  for (let n = 0; n < 5000; n++) {
    if (random.chance(n < 2500 ? 0.7 : 0.3)) {
      queue.put(n);
      put.push(n);
    } else {
      const first = queue.peek();
      const item = queue.shift();
      if (item !== first) t.fail(`peek said ${first}, shift gave ${item}`);
      if (item !== undefined) taken.push(item);
    }
    if (queue.length !== put.length - taken.length) t.fail(`length is ${queue.length}`);
  }
  while (queue.length > 0) taken.push(await queue.take());
  t.same(taken, put);
  t.equal(queue.shift(), undefined);
  t.equal(queue.peek(), undefined);
});

t.test('an item goes to the one who has waited longest', async (t) => {
  const queue = new WaitingQueue<number>();
  const waits = [queue.take(), queue.take()];
  t.equal(queue.waiting, 2);
  for (const n of [1, 2, 3]) queue.put(n);
  t.same(await Promise.all(waits), [1, 2]);
  t.equal(queue.waiting, 0);
  t.equal(queue.length, 1);
});

t.test('an aborted wait takes nothing, and one that was served does not mind the abort', async (t) => {
  const queue = new WaitingQueue<number>();
  const [early, late] = [new AbortController(), new AbortController()];
  const aborted = queue.take(early.signal);
  const served = queue.take(late.signal);
  early.abort(new Error('enough'));
  queue.put(1);
  late.abort();
  await t.rejects(aborted, { message: 'enough' });
  t.equal(await served, 1);
  queue.put(2);
  await t.rejects(queue.take(early.signal), { message: 'enough' });
  t.equal(queue.length, 1);
});

t.test('clearing forgets the items, failing ends the waits', async (t) => {
  const queue = new WaitingQueue<number>();
  queue.put(1);
  queue.clear();
  t.equal(queue.length, 0);
  const waits = [queue.take(), queue.take()].map((wait) => t.rejects(wait, { message: 'closed' }));
  queue.fail(new Error('closed'));
  await Promise.all(waits);
  queue.put(2);
  t.equal(await queue.take(), 2);
});

t.test(
  'items that come together go to each as many as it takes, in order, and the rest is kept',
  async (t) => {
    const queue = new WaitingQueue<number>();
    const waits = [queue.takeMany(2), queue.take(), queue.takeMany(10)];
    t.equal(queue.wanted, 13);
    queue.putMany([1, 2, 3, 4, 5]);
    t.same(await Promise.all(waits), [[1, 2], 3, [4, 5]]);
    queue.putMany([6, 7, 8]);
    t.equal(queue.wanted, 0);
    t.same(await queue.takeMany(2), [6, 7]);
    t.equal(queue.length, 1);
    const controller = new AbortController();
    t.same(await queue.takeMany(5), [8]);
    const aborted = queue.takeMany(5, controller.signal);
    controller.abort(new Error('enough'));
    await t.rejects(aborted, { message: 'enough' });
    queue.putMany([9, 10]);
    t.equal(queue.length, 2);
  },
);

t.test('what comes back goes where it was, or to who waits', async (t) => {
  const queue = new WaitingQueue<number>();
  queue.putMany([3, 5]);
  for (const n of [4, 1, 6, 2]) queue.putBefore(n, (kept) => kept > n);
  t.same(await queue.takeMany(10), [1, 2, 3, 4, 5, 6]);
  const waiting = queue.take();
  queue.putBefore(7, () => true);
  t.equal(await waiting, 7);
  t.equal(queue.length, 0);
});
