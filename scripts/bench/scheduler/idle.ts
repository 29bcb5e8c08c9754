// Workers that have nothing to do.

import { setTimeout as pause } from 'node:timers/promises';
import { sql } from '../../../src/store/kysely.js';
import type { Store } from '../../../src/store/store.js';
import { Program } from '../shared/program.js';
import type { Found } from '../shared/results.js';
import { linodWorker } from '../worker/subjects.js';
import { BenchQueue } from './bullmq.js';
import type { Context } from './context.js';
import { BenchSite } from './linod-worker.js';

/**
 * What a worker does once after its start is not what waiting costs: the garbage of it is collected some 20 s later, and what is run for
 * the tenth time is compiled.
 */
const settle = { ms: 60_000, quickMs: 10_000 };
/** A multiple of the seconds after which workers look again. */
const watched = { ms: 60_000, quickMs: 10_000 };
const history = { jobs: 1_000_000, quickJobs: 20_000 };
const dayMs = 86_400_000;

/** A new site with the shipped procedures, one of which is due every ten seconds: `cpu` in s a minute, `rss` in MiB. */
export async function idleLinod({ directory, quick }: Context): Promise<Found> {
  const subject = await linodWorker(directory, 'idle');
  const first = await Program.start(subject);
  await first.stop();
  return await watch(await Program.start(subject), quick);
}

export async function idleBullMq(context: Context): Promise<Found | undefined> {
  const { quick, peers } = context;
  if (peers.bullmq === undefined) return undefined;
  const bench = await BenchQueue.make(peers.bullmq, context);
  const found = await watch(await bench.startWorker(1), quick);
  await bench.close();
  return found;
}

/** So many rules that are due once a day, half a day from now; if wanted, with a long history. */
export async function idleRules(
  rules: number,
  { directory, quick }: Context,
  withHistory = false,
): Promise<Found> {
  const hour = (new Date().getUTCHours() + 12) % 24;
  const bench = await BenchSite.make({
    directory,
    procedures: `for (let i = 0; i < ${rules}; i++) linod.scheduleDaily({ name: 'daily' + i, hour: ${hour} }, call);`,
  });
  if (withHistory) {
    const store = await bench.site.openStore();
    await addHistory(store, rules, quick ? history.quickJobs : history.jobs);
    await store.close();
  }
  return await watch(await bench.startWorker(), quick);
}

async function watch(worker: Program, quick: boolean): Promise<Found> {
  const forMs = quick ? watched.quickMs : watched.ms;
  await pause(quick ? settle.quickMs : settle.ms);
  const before = worker.usage();
  await pause(forMs);
  const after = worker.usage();
  await worker.stop();
  return {
    cpu: (((after.cpuMs - before.cpuMs) / forMs) * 60_000) / 1000,
    rss: after.rssBytes / 1024 ** 2,
  };
}

/** Jobs of the rules, a day apart, each with its entry of the ledger. */
async function addHistory({ db }: Store, rules: number, jobs: number): Promise<void> {
  const now = Date.now();
  const numbers = sql`with recursive numbers(n) as (select 0 union all select n + 1 from numbers where n < ${jobs - 1})`;
  const rule = sql`n % ${rules} + 1`;
  const at = sql`${now} - (n / ${rules} + 1) * ${dayMs}`;
  await sql`
    ${numbers}
    insert into jobs (rule_id, procedure, due_at, start_datetime, end_datetime, status, message, worker_id)
    select ${rule}, 'daily' || (n % ${rules}), ${at}, ${at}, ${at} + 5, 'done', 'done in 5 ms', 'bench' from numbers
  `.execute(db);
  await sql`
    ${numbers}
    insert into decisions (rule_id, due_at, decided_at, worker_id, reason, detail)
    select ${rule}, ${at}, ${at}, 'bench', 'started', '' from numbers
  `.execute(db);
  await sql`pragma wal_checkpoint(truncate)`.execute(db);
}
