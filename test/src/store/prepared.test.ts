// A query that is compiled once gives each asker its own answer, on whatever connection.

import { join } from 'node:path';
import t from 'tap';
import { PreparedQuery } from '../../../src/store/prepared.js';
import { openStore } from '../../../src/store/store.js';
import { testDirectory } from '../../support/directory.js';

t.test('a prepared query is made once and takes other values each time, also in transactions', async (t) => {
  const store = await openStore({ path: join(testDirectory(t), 'linod.db') });
  t.teardown(() => store.close());
  let made = 0;
  const orders = new PreparedQuery<{ name: string; limit: number }, { name: string }>((db, value) => {
    made++;
    return db
      .selectFrom('start_orders')
      .select('name')
      .where('name', '>=', value('name'))
      .orderBy('name')
      .limit(value('limit'));
  });
  for (const name of ['a', 'b', 'c']) {
    await store.db.insertInto('start_orders').values({ name, ordered_at: 1, ordered_by: 'a test' }).execute();
  }
  const names = async (values: { name: string; limit: number }, db = store.db) =>
    (await orders.rows(db, values)).map(({ name }) => name).join('');
  t.equal(await names({ name: 'a', limit: 10 }), 'abc');
  t.equal(await names({ name: 'b', limit: 10 }), 'bc');
  const [first, second] = await Promise.all([names({ name: 'a', limit: 1 }), names({ name: 'c', limit: 2 })]);
  t.same([first, second], ['a', 'c'], 'at the same time, too');
  await store.db.transaction().execute(async (tx) => {
    await tx.deleteFrom('start_orders').where('name', '=', 'b').execute();
    t.equal(await names({ name: 'a', limit: 10 }, tx), 'ac', 'it sees what its transaction has done');
  });
  t.equal(made, 1);
});
