// Runs that somebody asks for: how soon one is called, and how many a second are run when many wait.

import { setTimeout as pause } from 'node:timers/promises';
import { RunJob } from '../../../src/run-job.js';
import { sql } from '../../../src/store/kysely.js';
import type { Store } from '../../../src/store/store.js';
import { PostgresServer } from '../shared/postgres-server.js';
import { quantiles } from '../shared/quantiles.js';
import type { Found } from '../shared/results.js';
import { BenchQueue } from './bullmq.js';
import { type Call, steadyNow } from './calls.js';
import type { Context } from './context.js';
import { BenchSite } from './linod-worker.js';

/** One after the other, so that none waits for another one. */
const askEveryMs = 10;
const asked = { count: 600, quickCount: 100 };
/** The first are not counted: code is compiled. */
const warmUp = 0.2;
/** So many wait when the worker starts, and it has so long to work on them. */
const waiting = { count: 100_000, quickCount: 5000 };
const workMs = 15_000;
const lookMs = 500;

const procedures = `linod.scheduleDaily({ name: 'asked', overlap: 'allow' }, call);`;

/**
 * From the call that asks for a run, in this process, until the procedure is called in the worker: `p50` and `p99` in
 * ms. As `linod rule N run` asks: a row, and a message that wakes the workers.
 */
export async function runNow({ directory, quick }: Context, databaseUrl?: string): Promise<Found> {
  const settings = databaseUrl === undefined ? {} : { databaseUrl };
  const bench = await BenchSite.make({ directory, procedures, settings });
  const { site } = bench;
  const worker = await bench.startWorker();
  const store = await site.openStore();
  const layer = await site.openLayer();
  const rule = await onlyRule(store);
  const askedAt = new Map<number, number>();
  await paced(quick, async () => {
    const at = steadyNow();
    const { request } = await RunJob.request({ site, store, layer, user: 'bench' }, rule);
    askedAt.set(request, at);
  });
  const jobs = await store.db.selectFrom('jobs').select(['id', 'request_id']).execute();
  await layer.close();
  await store.close();
  await worker.stop();
  const requestOf = new Map(jobs.map((job) => [job.id, job.request_id]));
  const calls = await bench.calls();
  return delays(quick, calls, ({ of }) => askedAt.get(requestOf.get(of) ?? 0) ?? Number.NaN);
}

/** The same, on a cluster of its own. Undefined where PostgreSQL is not installed. */
export async function runNowOnPostgres(context: Context): Promise<Found | undefined> {
  const server = await PostgresServer.start();
  if (server === undefined) return undefined;
  context.versions.add(`PostgreSQL ${server.version}`);
  try {
    return await runNow(context, server.url);
  } finally {
    await server.close();
  }
}

/** From the adding until the processor is called. */
export async function runNowOfBullMq(context: Context): Promise<Found | undefined> {
  const { quick, peers } = context;
  if (peers.bullmq === undefined) return undefined;
  const bench = await BenchQueue.make(peers.bullmq, context);
  const worker = await bench.startWorker(1);
  await paced(quick, async () => void (await bench.queue.add('asked', { at: steadyNow() })));
  await worker.stop();
  await bench.close();
  return delays(quick, await bench.calls(), ({ of }) => of);
}

/** How many requests that wait a worker runs: `runs` a second. */
export async function throughput(atOnce: number, { directory, quick }: Context): Promise<Found> {
  const bench = await BenchSite.make({ directory, procedures });
  const { site } = bench;
  const store = await site.openStore();
  const rule = await onlyRule(store);
  const count = quick ? waiting.quickCount : waiting.count;
  await sql`
    with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ${count})
    insert into job_requests (rule_id, action, requested_at, requested_by)
    select ${rule}, 'run', ${Date.now()}, 'bench' from numbers
  `.execute(store.db);
  const worker = await bench.startWorker({ concurrency: atOnce });
  await untilNothing(async () => await isOpen(store));
  await worker.stop();
  const { done } = await store.db
    .selectFrom('jobs')
    .select((eb) => eb.fn.countAll<number>().as('done'))
    .where('status', '=', 'done')
    .executeTakeFirstOrThrow();
  await store.close();
  const calls = await bench.calls();
  if (calls.length !== done) throw new Error(`of ${calls.length} runs ${done} are recorded as done`);
  return rate(calls);
}

export async function throughputOfBullMq(atOnce: number, context: Context): Promise<Found | undefined> {
  const { quick, peers } = context;
  if (peers.bullmq === undefined) return undefined;
  const bench = await BenchQueue.make(peers.bullmq, context);
  const batch = 5000;
  for (let added = 0; added < (quick ? waiting.quickCount : waiting.count); added += batch)
    await bench.queue.addBulk(Array.from({ length: batch }, () => ({ name: 'asked', data: { at: 0 } })));
  const worker = await bench.startWorker(atOnce);
  await untilNothing(async () => (await bench.queue.getJobCountByTypes('waiting', 'active')) > 0);
  await worker.stop();
  await bench.close();
  return rate(await bench.calls());
}

async function paced(quick: boolean, ask: () => Promise<void>): Promise<void> {
  // What a worker does once after its start would be in the way.
  await pause(2000);
  for (let i = 0; i < (quick ? asked.quickCount : asked.count); i++) {
    await ask();
    await pause(askEveryMs);
  }
  await pause(500);
}

function delays(quick: boolean, calls: readonly Call[], askedAt: (call: Call) => number): Found {
  const count = quick ? asked.quickCount : asked.count;
  if (calls.length !== count) throw new Error(`of ${count} runs that were asked for ${calls.length} began`);
  const counted = calls.slice(Math.floor(count * warmUp));
  return quantiles(counted.map((call) => call.steady - askedAt(call)));
}

/** By the calls but the first ones. */
function rate(calls: readonly Call[]): Found {
  const counted = calls.slice(Math.floor(calls.length * warmUp));
  const [first, last] = [counted[0]?.steady ?? Number.NaN, counted.at(-1)?.steady ?? Number.NaN];
  return { runs: ((counted.length - 1) / (last - first)) * 1000 };
}

async function untilNothing(isLeft: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + workMs;
  do await pause(lookMs);
  while ((await isLeft()) && performance.now() < giveUpAt);
}

async function isOpen(store: Store): Promise<boolean> {
  const open = await store.db
    .selectFrom('job_requests')
    .select('id')
    .where('action', '=', 'run')
    .where('handled_at', 'is', null)
    .limit(1)
    .execute();
  return open.length > 0;
}

async function onlyRule(store: Store): Promise<number> {
  const { id } = await store.db.selectFrom('job_rules').select('id').executeTakeFirstOrThrow();
  return id;
}
