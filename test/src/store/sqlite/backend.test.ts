// The file of an open database is deleted, replaced, upgraded, locked, or its disk is full.

import { copyFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { openStore } from '../../../../src/store/store.js';
import { transact } from '../../../../src/store/transact.js';
import { testDirectory } from '../../../support/directory.js';
import { eventually } from '../../../support/programs.js';

async function open(t: Test) {
  const path = join(testDirectory(t), 'linod.db');
  const store = await openStore({ path });
  t.teardown(() => store.close());
  const read = () => store.db.selectFrom('job_rules').selectAll().execute();
  const order = () =>
    store.db.insertInto('start_orders').values({ name: 'x', ordered_at: 0, ordered_by: 'x' }).execute();
  /** Waits until reading is refused, and returns why. */
  const refusal = async (): Promise<unknown> => {
    let error: unknown;
    await eventually('reading is refused', async () => {
      error = await read().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      return error !== undefined;
    });
    return error;
  };
  return { path, store, read, order, refusal };
}

const replaced = {
  code: 'LINOD_ERR_STORE_UNAVAILABLE',
  message: /^cannot use the database .*linod\.db: it was deleted or replaced while it was open; put it back/,
};

t.test('a deleted file is no longer used, until it is put back', async (t) => {
  const { path, read, order, refusal } = await open(t);
  await order();
  renameSync(path, `${path}.away`);
  t.match(await refusal(), replaced);
  await t.rejects(order(), replaced, 'nor is it written to');
  renameSync(`${path}.away`, path);
  t.same(await read(), []);
});

t.test('a replaced file is no longer used', async (t) => {
  const { path, refusal } = await open(t);
  copyFileSync(path, `${path}.copy`);
  renameSync(`${path}.copy`, path);
  t.match(await refusal(), replaced);
});

t.test('a file whose write-ahead log was deleted is no longer used', async (t) => {
  const { path, refusal } = await open(t);
  rmSync(`${path}-wal`);
  t.match(await refusal(), replaced);
});

t.test('an open file that a newer linod upgrades is no longer used', async (t) => {
  const { path, order, refusal } = await open(t);
  const newer = new Sqlite(path);
  const version = Number(newer.pragma('user_version', { simple: true }));
  newer.pragma(`user_version = ${version + 1}`);
  newer.close();
  const expected = {
    code: 'LINOD_ERR_NEWER_DATABASE',
    message: new RegExp(`linod\\.db has unknown migrations of linod: number ${version + 1};`),
  };
  t.match(await refusal(), expected);
  await t.rejects(order(), expected);
});

t.test('the error says that the disk is full, also in a transaction', async (t) => {
  const { store } = await open(t);
  await sql`pragma max_page_count = 1`.execute(store.db);
  const fill = (text: string) =>
    transact(store.db, async (tx) => {
      const row = { name: 'x', ordered_at: 0, ordered_by: text };
      await tx.insertInto('start_orders').values(row).execute();
    });
  const message = /^cannot use the database .*linod\.db: database or disk is full$/;
  await t.rejects(fill('x'.repeat(1_000_000)), { code: 'LINOD_ERR_STORE_UNAVAILABLE', message });
  await fill('x');
  t.equal(
    (await store.db.selectFrom('start_orders').selectAll().execute()).length,
    1,
    'the store works again',
  );
});

t.test('the error says that another program keeps the database locked', async (t) => {
  const { path, order } = await open(t);
  const other = new Sqlite(path);
  t.teardown(() => other.close());
  other.exec('begin immediate');
  await t.rejects(order(), {
    code: 'LINOD_ERR_STORE_UNAVAILABLE',
    message: /^cannot use the database .*linod\.db: another program has kept it locked for 10 s$/,
  });
  other.exec('rollback');
  await order();
});

t.test('the number of a new rule is found without reading all rules', async (t) => {
  const { store } = await open(t);
  const plan = sql<{ detail: string }>`explain query plan select max(seqno) from job_rules`;
  t.match((await plan.execute(store.db)).rows[0]?.detail, /USING COVERING INDEX job_rules_seqno/);
});
