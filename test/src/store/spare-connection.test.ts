// The connection that a SQLite store keeps from one run for the next.

import { sql } from 'kysely';
import t from 'tap';
import { openStore } from '../../../src/store/store.js';

const changes = sql<{ n: number }>`select total_changes() as n`;

t.test('a connection that a run leaves clean serves the next one, with its usual settings', async (t) => {
  const store = await openStore({ path: `${t.testdir()}/a.sqlite` });
  t.teardown(() => store.close());
  const first = store.connect();
  await sql`create table t (x)`.execute(first);
  await sql`insert into t values (1)`.execute(first);
  await sql`pragma foreign_keys = off`.execute(first);
  await first.destroy();
  await t.rejects(sql`select 1`.execute(first), /destroyed/, 'who keeps it cannot use it any more');
  const second = store.connect();
  t.teardown(() => second.destroy());
  t.not((await changes.execute(second)).rows[0]?.n, 0, 'it is the same');
  t.same((await sql`pragma foreign_keys`.execute(second)).rows, [{ foreign_keys: 1 }]);
});

t.test('one on which a run leaves a temporary table is not handed on', async (t) => {
  const store = await openStore({ path: `${t.testdir()}/a.sqlite` });
  t.teardown(() => store.close());
  for (let run = 0; run < 2; run++) {
    const own = store.connect();
    await sql`create temp table t as select 1`.execute(own);
    await own.destroy();
  }
  t.pass('the table of the first run is gone');
});

t.test('one that a run leaves in a transaction is closed, and its transaction with it', async (t) => {
  const store = await openStore({ path: `${t.testdir()}/a.sqlite` });
  t.teardown(() => store.close());
  const first = store.connect();
  await new Promise<void>((resolve) => {
    const work = first.transaction().execute(async (tx) => {
      await sql`create table left_open (x)`.execute(tx);
      resolve();
      await new Promise(() => undefined);
    });
    work.catch(() => undefined);
  });
  await first.destroy();
  const second = store.connect();
  t.teardown(() => second.destroy());
  await sql`create table left_open (x)`.execute(second);
  t.pass('the lock is free, and the table of the transaction is gone');
});
