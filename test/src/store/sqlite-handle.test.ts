// Connections of SQLite that are used again by the next run, and the notice of what others write.

import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/clock.js';
import { sql } from '../../../src/store/kysely.js';
import { SqliteHandles } from '../../../src/store/sqlite-handle.js';
import { openStore } from '../../../src/store/store.js';
import { testDirectory } from '../../support/directory.js';
import { until } from '../../support/until.js';

async function open(t: Test) {
  const store = await openStore({ path: join(testDirectory(t), 'linod.db') });
  t.teardown(() => store.close());
  return store;
}

t.test('a connection is used again when nothing was done on it but reading and writing', async (t) => {
  const path = join(testDirectory(t), 'linod.db');
  const handles = new SqliteHandles(path);
  t.teardown(() => handles.close());
  const first = handles.take();
  first.execute('create table notes (text text)', []);
  handles.giveBack(first);
  const second = handles.take();
  t.not(second, first, 'one that made a table is closed');
  second.execute('insert into notes values (?)', ['a']);
  second.execute('with some as (select * from notes) select * from some', []);
  handles.giveBack(second);
  t.equal(handles.take(), second);
  for (const statement of ['pragma foreign_keys = off', 'begin immediate', 'create temporary table t (a)']) {
    const used = handles.take();
    used.execute(statement, []);
    handles.giveBack(used);
    const next = handles.take();
    t.not(next, used, statement);
    handles.giveBack(next);
  }
  const reading = handles.take();
  const rows = reading.iterate('select * from notes', []);
  rows.next();
  t.notOk(reading.isClean, 'a result that is not read to its end');
  rows.return?.();
});

t.test('a run that goes on after its end cannot write on the connection of the next', async (t) => {
  const store = await open(t);
  const order = (name: string) => ({ name, ordered_at: 1, ordered_by: 'a test' });
  const first = store.connect();
  await first.insertInto('start_orders').values(order('first')).execute();
  const kept = first.getExecutor();
  const write = sql`insert into start_orders (name, ordered_at, ordered_by) values ('late', 1, '')`;
  await first.destroy();
  const second = store.connect();
  await second.insertInto('start_orders').values(order('second')).execute();
  await t.rejects(kept.executeQuery(write.compile(first)), /closed|destroyed/);
  const rows = await store.db.selectFrom('start_orders').select('name').orderBy('name').execute();
  t.same(
    rows.map(({ name }) => name),
    ['first', 'second'],
  );
  await second.destroy();
});

t.test('what others write is told, and what this connection writes only now and then', async (t) => {
  const store = await open(t);
  let news = 0;
  const following = store.follow({
    clock: systemClock,
    onNews: () => void news++,
    onTrouble: (error) => {
      if (error !== undefined) t.fail(String(error));
    },
  });
  t.teardown(() => following.close());
  t.equal(news, 1, 'it looks at first');
  const order = (name: string) => ({ name, ordered_at: 1, ordered_by: 'a test' });
  for (let i = 0; i < 5; i++) {
    await store.db
      .insertInto('start_orders')
      .values(order(`own ${i}`))
      .execute();
    await pause(5);
  }
  const other = store.connect();
  await other.insertInto('start_orders').values(order('other')).execute();
  await other.destroy();
  await until('it is told', () => news >= 2);
  t.equal(news, 2, 'once, although there were five writes before');
});
