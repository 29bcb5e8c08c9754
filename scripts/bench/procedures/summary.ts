// Very many dirty keys, the value of each of which is read from one table and stored in another.

import { sql } from '../../../src/store/kysely.js';
import { BenchSite } from '../scheduler/linod-worker.js';
import type { Found } from '../shared/results.js';
import type { Context } from './experiments.js';
import { heapNoting, readHeapNotes } from './heap-notes.js';
import { mib, runRule } from './run-rule.js';

const size = { keys: 1_000_000, quickKeys: 50_000 };

const procedures = (keys: number) => `
${heapNoting([keys / 10, keys])}
let computed = 0;
import { registerSummary } from 'linod/procedures';
registerSummary({
  name: 'turnovers',
  compute: async (customer, ar) => {
    noteHeap(++computed);
    return await ar.db
      .selectFrom('orders')
      .select((eb) => eb.fn.sum('total').as('total'))
      .where('customer', '=', Number(customer))
      .executeTakeFirstOrThrow();
  },
  store: async (customer, { total }, tx) => {
    await tx
      .insertInto('turnovers')
      .values({ customer: Number(customer), total })
      .onConflict((conflict) => conflict.column('customer').doUpdateSet({ total }))
      .execute();
  },
});
`;

/** `keys` a second; in MiB, `rssTenth` and `rssEnd`, and of the heap what is in use, `heapTenth` and `heapEnd`. */
export async function summary({ directory, quick }: Context): Promise<Found> {
  const keys = quick ? size.quickKeys : size.keys;
  const bench = await BenchSite.make({
    directory,
    procedures: procedures(keys),
    settings: { shippedProcedures: true },
  });
  const store = await bench.site.openStore();
  const numbers = sql`with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ${keys})`;
  await sql`create table orders (id integer primary key, customer integer, total integer)`.execute(store.db);
  await sql`create table turnovers (customer integer primary key, total integer)`.execute(store.db);
  await sql`${numbers} insert into orders select n, n, n % 100 from numbers`.execute(store.db);
  await sql`create index orders_customer on orders (customer)`.execute(store.db);
  await sql`
    ${numbers} insert into dirty_summaries (summary, key, version, marked_at, failures)
    select 'turnovers', n, 1, ${Date.now()}, 0 from numbers
  `.execute(store.db);
  await sql`pragma wal_checkpoint(truncate)`.execute(store.db);
  const worker = await bench.startWorker();
  const run = await runRule(bench.site, store, worker, 'checksummaries');
  const { rows } = await sql<{ done: number; left: number }>`
    select (select count(*) from turnovers) as done, (select count(*) from dirty_summaries) as "left"
  `.execute(store.db);
  await worker.stop();
  await store.close();
  const [{ done, left } = { done: 0, left: 0 }] = rows;
  if (done !== keys || left > 0) throw new Error(`expected ${keys} keys, computed ${done}, left ${left}`);
  const [heapTenth = Number.NaN, heapEnd = Number.NaN] = (await readHeapNotes(directory)).map(mib);
  return {
    keys: (keys / run.ms) * 1000,
    ...{ rssTenth: mib(run.rssTenth), rssEnd: mib(run.rssEnd), heapTenth, heapEnd },
  };
}
