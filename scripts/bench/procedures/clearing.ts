// Much history is deleted in a worker that has a thousand rules to run each second.

import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { sql } from '../../../src/store/kysely.js';
import type { Store } from '../../../src/store/store.js';
import type { Call } from '../scheduler/calls.js';
import { BenchSite } from '../scheduler/linod-worker.js';
import { quantiles } from '../shared/quantiles.js';
import type { Found } from '../shared/results.js';
import type { Context } from './experiments.js';
import { LockWatch } from './lock-watch.js';
import { runRule } from './run-rule.js';

const rules = 1000;
const size = { jobs: 1_000_000, quickJobs: 100_000 };
const settle = { ms: 5000, quickMs: 3000 };
const watched = { ms: 10_000, quickMs: 8000 };
const dayMs = 86_400_000;

const procedures = `for (let i = 0; i < ${rules}; i++)
  linod.scheduleOften({ name: 'tick' + i, every: 1, everyUnit: 'secondly' }, call);`;

/**
 * `jobs` deleted a second. In ms: `longest` of its transactions as the procedure tells it; how long another process waited for
 * the database at most, `waitBefore`, `waitDuring`, and `waitBetween` the beginnings of seconds, when nobody but the procedure
 * writes for long; and how late the rules were, `p50Before`, `p99Before`, `p50During`, `p99During`.
 */
export async function clearing({ directory, quick }: Context): Promise<Found> {
  const jobs = quick ? size.quickJobs : size.jobs;
  const bench = await BenchSite.make({ directory, procedures, settings: { shippedProcedures: true } });
  const store = await bench.site.openStore();
  await addHistory(store, jobs);
  const worker = await bench.startWorker({ concurrency: rules });
  await pause(quick ? settle.quickMs : settle.ms);
  const watch = new LockWatch(join(directory, 'linod.db'));
  const from = Date.now();
  await pause(quick ? watched.quickMs : watched.ms);
  const until = Date.now();
  const { ms: waitBefore } = await watch.longest();
  const { job, ms } = await runRule(bench.site, store, worker, 'clear_too_old_job_history');
  const waits = await watch.longest();
  await watch.close();
  await worker.stop();
  const late = await lateness(store, await bench.calls());
  const lines = await store.db.selectFrom('job_lines').select('text').where('job_id', '=', job.id).execute();
  await store.close();
  const text = lines.map((line) => line.text).join('\n');
  const deleted = Number(/(\d+) jobs,/.exec(text)?.[1]);
  if (deleted < jobs) throw new Error(`expected ${jobs} jobs to be deleted: ${text}`);
  const before = quantiles(late(from, until));
  const during = quantiles(late(job.startDatetime.getTime(), job.startDatetime.getTime() + ms));
  return {
    jobs: (deleted / ms) * 1000,
    ...{ waitBefore, waitDuring: waits.ms, waitBetween: waits.betweenMs },
    longest: Number(/"longestTransactionMs":([\d.]+)/.exec(text)?.[1]),
    ...{ p50Before: before.p50, p99Before: before.p99, p50During: during.p50, p99During: during.p99 },
  };
}

/** Jobs of the rules from forty days ago on, each with a line. */
async function addHistory({ db }: Store, jobs: number): Promise<void> {
  const at = sql`${Date.now() - 40 * dayMs} - (n / ${rules} + 1) * 1000`;
  await sql`
    with recursive numbers(n) as (select 0 union all select n + 1 from numbers where n < ${jobs - 1})
    insert into jobs (rule_id, procedure, due_at, start_datetime, end_datetime, status, message, worker_id)
    select ids.id, ids.procedure, ${at}, ${at}, ${at} + 5, 'done', 'done in 5 ms', 'bench'
    from numbers join (
      select id, procedure, row_number() over (order by id) - 1 as i from job_rules where procedure like 'tick%'
    ) ids on ids.i = n % ${rules}
  `.execute(db);
  await sql`
    insert into job_lines (job_id, logged_at, level, text) select id, start_datetime, 'INFO', 'done' from jobs
  `.execute(db);
  await sql`pragma wal_checkpoint(truncate)`.execute(db);
}

/** How late the calls were whose time was in a span, in ms. */
async function lateness(
  { db }: Store,
  calls: readonly Call[],
): Promise<(from: number, until: number) => number[]> {
  const jobs = await db.selectFrom('jobs').select(['id', 'due_at']).where('due_at', 'is not', null).execute();
  const dueAt = new Map(jobs.map((job) => [job.id, job.due_at ?? Number.NaN]));
  return (from, until) =>
    calls.flatMap(({ of, wall }) => {
      const due = dueAt.get(of) ?? Number.NaN;
      return due > from && due <= until ? [wall - due] : [];
    });
}
