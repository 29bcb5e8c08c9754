// What the databases alone need for the rows that a request and its run are: no scheduler that keeps them can be quicker.

import { once } from 'node:events';
import Database from 'better-sqlite3';
import pg from 'pg';
import { sql } from '../../../src/store/kysely.js';
import { PostgresServer } from '../shared/postgres-server.js';
import { quantiles } from '../shared/quantiles.js';
import type { Found } from '../shared/results.js';
import type { Context } from './context.js';
import { BenchSite } from './linod-worker.js';

const procedures = `linod.scheduleDaily({ name: 'asked', overlap: 'allow' }, call);`;
const requests = { count: 100_000, quickCount: 5000 };
const asked = { count: 400, quickCount: 50 };

/**
 * Requests are taken up and their runs ended by better-sqlite3 in a loop, 50 in each pair of transactions, into linod's own tables:
 * what is due is not looked for, no rule is locked, and nothing is run. `runs` a second.
 */
export async function throughputOfBareSqlite({ directory, quick }: Context): Promise<Found> {
  const { site } = await BenchSite.make({ directory, procedures });
  const store = await site.openStore();
  const count = quick ? requests.quickCount : requests.count;
  const { id: rule } = await store.db.selectFrom('job_rules').select('id').executeTakeFirstOrThrow();
  await sql`
    with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ${count})
    insert into job_requests (rule_id, action, requested_at, requested_by)
    select ${rule}, 'run', ${Date.now()}, 'bench' from numbers
  `.execute(store.db);
  await store.close();

  const db = new Database(site.settings.databaseUrl.slice('sqlite:'.length));
  for (const pragma of ['synchronous = NORMAL', 'foreign_keys = ON', 'wal_autocheckpoint = 4000'])
    db.pragma(pragma);
  const [begin, commit] = [db.prepare('begin immediate'), db.prepare('commit')];
  const open = db
    .prepare<[], number>(
      `select id from job_requests where action = 'run' and handled_at is null order by priority desc, id limit cast(50 as bigint)`,
    )
    .pluck();
  const handle = db.prepare(
    `update job_requests set handled_at = ?, outcome = 'run' where id in (select value from json_each(?)) and handled_at is null`,
  );
  const start = db
    .prepare<[number, number, string], number>(
      `insert into jobs (rule_id, procedure, request_id, attempt, run_in, start_datetime, status, message, worker_id)
      select ?, 'asked', value, 1, 'inline', ?, 'running', '', 'bare' from json_each(?) returning id`,
    )
    .pluck();
  const tell = db.prepare(
    `insert into decisions (rule_id, times, reason, detail, request_id, decided_at, worker_id)
    select ?, 1, 'requested', 'by bench, request ' || value, value, ?, 'bare' from json_each(?)`,
  );
  const end = db.prepare(
    `update jobs set status = 'done', message = 'done in 0 ms', end_datetime = ?
    where id in (select value from json_each(?)) and worker_id = 'bare' and status = 'running'`,
  );
  let done = 0;
  const startedAt = performance.now();
  for (let ids = open.all(); ids.length > 0; ids = open.all()) {
    const [now, list] = [Date.now(), JSON.stringify(ids)];
    begin.run();
    handle.run(now, list);
    const jobs = start.all(rule, now, list);
    tell.run(rule, now, list);
    commit.run();
    begin.run();
    end.run(Date.now(), JSON.stringify(jobs));
    commit.run();
    done += ids.length;
  }
  const tookMs = performance.now() - startedAt;
  db.close();
  return { runs: (done / tookMs) * 1000 };
}

/**
 * A request is written by one connection; another one, in the same process, hears of it, takes it up and writes its job. Each of these two
 * commits waits for the disk, and of the ways to the server there are as few as can be: one, and five.
 */
export async function runNowOnBarePostgres({ quick, versions }: Context): Promise<Found | undefined> {
  const server = await PostgresServer.start();
  if (server === undefined) return undefined;
  versions.add(`PostgreSQL ${server.version}`);
  const [asks, hears] = [new pg.Client(server.url), new pg.Client(server.url)];
  try {
    await asks.connect();
    await hears.connect();
    await asks.query(`create table requests (id bigint generated always as identity primary key, handled_at bigint);
      create table jobs (id bigint generated always as identity primary key, request_id bigint)`);
    await hears.query('listen requests');
    const takes: number[] = [];
    for (let i = 0; i < (quick ? asked.quickCount : asked.count); i++) {
      const heard = once(hears, 'notification');
      const at = performance.now();
      const added = asks.query({
        name: 'ask',
        text: `with added as (insert into requests (handled_at) values (null) returning id) select pg_notify('requests', ''), id from added`,
      });
      await heard;
      await hears.query('begin');
      const open = 'select id from requests where handled_at is null order by id limit 1 for no key update';
      const { rows } = await hears.query<{ id: string }>({ name: 'open', text: open });
      const id = rows[0]?.id;
      const handle = 'update requests set handled_at = 1 where id = $1';
      await hears.query({ name: 'handle', text: handle, values: [id] });
      await hears.query({
        name: 'start',
        text: 'insert into jobs (request_id) values ($1) returning id',
        values: [id],
      });
      await hears.query('commit');
      takes.push(performance.now() - at);
      await added;
    }
    return quantiles(takes.slice(Math.floor(takes.length / 5)));
  } finally {
    await asks.end();
    await hears.end();
    await server.close();
  }
}
