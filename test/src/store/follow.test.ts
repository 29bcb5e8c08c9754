// What hears the news of a SQLite file, and that of PostgreSQL where there is no server. With one it is tried out in postgres.test.ts.

import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/clock.js';
import type { NewsTopic } from '../../../src/store/backend.js';
import { NoticeListener } from '../../../src/store/postgres/follow.js';
import { parseTarget } from '../../../src/store/postgres/target.js';
import { openStore, type Store } from '../../../src/store/store.js';
import { testDirectory } from '../../support/directory.js';
import { hastyClock, watchSignals } from '../../support/signals.js';
import { until } from '../../support/until.js';

t.test('trying to connect again and again leaves nothing behind', async (t) => {
  const most = watchSignals(t);
  const clock = hastyClock();
  // Nobody listens on port 1.
  const target = parseTarget('postgres://linod@127.0.0.1:1/shop', {});
  const listener = new NoticeListener(target, { clock, onNews: () => {}, onTrouble: () => {} });
  await until('it has tried twenty times', () => clock.waits() > 40);
  const listeners = most();
  await listener.close();
  t.ok(listeners <= 2, `at most 2 on one signal: ${listeners}`);
});

/** A database with one rule and two connections, of which one follows what the other writes. */
async function followOthers(t: Test): Promise<{ own: Store; others: Store; told: NewsTopic[] }> {
  const path = join(testDirectory(t), 'linod.db');
  const [own, others] = [await openStore({ path }), await openStore({ path })];
  t.teardown(async () => {
    await Promise.all([own.close(), others.close()]);
  });
  await own.db
    .insertInto('job_rules')
    .values({ seqno: 1, name: 'a', procedure: 'a', suggestion: '{}', created_at: 0 })
    .execute();
  const told: NewsTopic[] = [];
  const following = own.follow({
    clock: systemClock,
    onNews: (topic) => told.push(topic),
    onTrouble: t.error,
  });
  t.teardown(() => following.close());
  return { own, others, told };
}

const request = { rule_id: 1, action: 'run', requested_at: 0, requested_by: 'ada' } as const;

t.test('SQLite: requests of others are told, however much this process writes itself', async (t) => {
  const { own, others, told } = await followOthers(t);
  const asked = () => told.filter((topic) => topic === 'job_requests').length;
  for (let round = 1; round <= 3; round++) {
    for (let i = 0; i < 30; i++) {
      await own.db
        .insertInto('job_requests')
        .values({ ...request, handled_at: 1 })
        .execute();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const before = asked();
    const { id } = await others.db
      .insertInto('job_requests')
      .values(request)
      .returning('id')
      .executeTakeFirstOrThrow();
    await until(`request ${id} is told`, () => asked() > before);
    await own.db.updateTable('job_requests').set({ handled_at: 1 }).where('id', '=', id).execute();
  }
  t.ok(told.includes('rule_changes'));
});

t.test('SQLite: a request that waits is told once, however much others write meanwhile', async (t) => {
  const { others, told } = await followOthers(t);
  const count = (wanted: NewsTopic) => told.filter((topic) => topic === wanted).length;
  const ask = async () =>
    await others.db
      .insertInto('job_requests')
      .values({ ...request, run_at: 1e15 })
      .execute();
  await ask();
  await until('it is told', () => count('job_requests') === 1);
  for (let look = 1; look <= 3; look++) {
    const before = count('rule_changes');
    await others.db.updateTable('job_rules').set({ seqno: look }).execute();
    await until('it has looked again', () => count('rule_changes') > before);
  }
  t.equal(count('job_requests'), 1);
  await ask();
  await until('a further one is told', () => count('job_requests') === 2);
});
