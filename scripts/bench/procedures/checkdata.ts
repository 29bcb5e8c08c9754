// A large table, five checkers, and a problem in one row of a thousand.

import { sql } from '../../../src/store/kysely.js';
import { BenchSite } from '../scheduler/linod-worker.js';
import type { Found } from '../shared/results.js';
import type { Context } from './experiments.js';
import { heapNoting, readHeapNotes } from './heap-notes.js';
import { mib, runRule } from './run-rule.js';

const size = { rows: 1_000_000, quickRows: 100_000 };

const procedures = (rows: number) => `
${heapNoting([rows / 10, rows])}
let checked = 0;
import { registerChecker } from 'linod/procedures';
const states = new Set(['new', 'paid', 'sent', 'done']);
const add = (name, check) => registerChecker({ name, table: 'orders', check });
add('has_customer', (order) => {
  noteHeap(++checked);
  return order.customer > 0 ? [] : ['has no customer'];
});
add('is_not_overpaid', (order) => (order.paid > order.total ? [order.paid - order.total + ' too much'] : []));
add('has_state', (order) => (states.has(order.state) ? [] : ['is ' + order.state]));
add('has_mail', (order) => (/^[^@]+@[^@]+$/.test(order.mail) ? [] : ['has a bad address']));
add('was_sent_later', (order) => (order.sent_at >= order.created_at ? [] : ['was sent before it was made']));
`;

/**
 * `rows` a second, each checked five times; in MiB, `rssTenth` and `rssEnd`, and of the heap what is in use, `heapTenth` and
 * `heapEnd`.
 */
export async function checkData({ directory, quick }: Context): Promise<Found> {
  const rows = quick ? size.quickRows : size.rows;
  const bench = await BenchSite.make({
    directory,
    procedures: procedures(rows),
    settings: { shippedProcedures: true },
  });
  const store = await bench.site.openStore();
  await sql`create table orders (
    id integer primary key, customer integer, mail text, total integer, paid integer, state text, created_at integer, sent_at integer
  )`.execute(store.db);
  await sql`
    with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ${rows})
    insert into orders
    select n, n % 1000 + 1, 'customer' || (n % 1000) || '@example.org', 100, iif(n % 1000 = 7, 101, 100), 'paid', n, n + 5 from numbers
  `.execute(store.db);
  await sql`pragma wal_checkpoint(truncate)`.execute(store.db);
  const worker = await bench.startWorker();
  const run = await runRule(bench.site, store, worker, 'checkdata');
  const { count } = await store.db
    .withTables<{ data_problems: { id: number } }>()
    .selectFrom('data_problems')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  await worker.stop();
  await store.close();
  if (count !== rows / 1000) throw new Error(`expected ${rows / 1000} problems, found ${count}`);
  const [heapTenth = Number.NaN, heapEnd = Number.NaN] = (await readHeapNotes(directory)).map(mib);
  return {
    rows: (rows / run.ms) * 1000,
    ...{ rssTenth: mib(run.rssTenth), rssEnd: mib(run.rssEnd), heapTenth, heapEnd },
  };
}
