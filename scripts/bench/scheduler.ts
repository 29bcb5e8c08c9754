// Measures the scheduler beside BullMQ, in one run.
//
//     npm run bench:scheduler -- [--only KEY]… [--rounds 3] [--quick] [--json]
//
// linod runs as for its users: sites in temporary directories with a worker in a process of its own, history and ledger
// included. BullMQ runs on a Redis that is started for it, and keeps its history, too; it is fetched for the time of the run.
// PostgreSQL is measured where Debian's package is installed.
//
// Exit codes: 0 measured, 1 failed or a run was lost, 2 used wrongly.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Context, contest, type Found, monotonicMs, quantiles, type Row } from './contest.js';
import { linod, makeSite, type Site, startWorker } from './linod.js';
import { Program } from './program.js';
import {
  type BullQueue,
  bullMqOptions,
  fetchBullMq,
  loadBullMq,
  type RedisServer,
  startPostgres,
  startRedis,
} from './servers.js';

const secondMs = 1000;

const notations = {
  tenSeconds: 'every 10 s',
  daily: 'daily in Tallinn',
  monthly: 'last working day of the month',
  rrule: 'RRULE, every second Tuesday',
  cron: 'cron, weekdays at 9:15',
} as const;
type Notation = keyof typeof notations;

const rows: readonly Row[] = [
  ...Object.entries(notations).map(
    ([key, name]): Row => ({
      work: `next run, begun 5 years ago: ${name}`,
      number: `next-run.linod.${key}`,
      unit: 'µs',
      aim: ['≤', 150],
    }),
  ),
  { work: '1,000 rules each second: runs', number: 'rules.linod.runs', unit: '/s', aim: ['≥', 1000] },
  {
    work: '1,000 rules each second: late by, p50',
    number: 'rules.linod.p50',
    unit: 'ms',
    aim: ['≤', 50],
    beside: [{ name: 'BullMQ', number: 'rules.bullmq.p50' }],
  },
  {
    work: '1,000 rules each second: late by, p99',
    number: 'rules.linod.p99',
    unit: 'ms',
    aim: ['≤', 150],
    beside: [{ name: 'BullMQ', number: 'rules.bullmq.p99' }],
  },
  {
    work: '1,000 rules each second: CPU of a core',
    number: 'rules.linod.cpu',
    unit: '%',
    beside: [{ name: 'BullMQ with its Redis', number: 'rules.bullmq.cpu', aim: ['≤', 1] }],
  },
  { work: '1,000 rules each second: memory', number: 'rules.linod.rss', unit: 'MiB' },
  {
    work: 'run now to started, SQLite: p50',
    number: 'run-now.sqlite.p50',
    unit: 'ms',
    aim: ['≤', 5],
    beside: [{ name: 'BullMQ', number: 'run-now.bullmq.p50' }],
  },
  { work: 'run now to started, PostgreSQL: p50', number: 'run-now.postgres.p50', unit: 'ms', aim: ['≤', 10] },
  {
    work: 'requested runs, 50 at once',
    number: 'requests.linod.runs',
    unit: '/s',
    beside: [{ name: 'BullMQ', number: 'requests.bullmq.runs', aim: ['≥', 1] }],
  },
];

/** One call of a procedure. */
interface Call {
  /** In linod the job's number; in BullMQ when it was due, or the time that its sender stamped. */
  readonly of: number;
  /** Milliseconds since 1970. */
  readonly wall: number;
  /** By the monotonic clock. */
  readonly steady: number;
}

async function readCalls(directory: string): Promise<Call[]> {
  const numbers = JSON.parse(await readFile(join(directory, 'calls.json'), 'utf8')) as readonly number[];
  return Array.from({ length: numbers.length / 3 }, (_, i) => {
    const [of = Number.NaN, wall = Number.NaN, steady = Number.NaN] = numbers.slice(3 * i, 3 * i + 3);
    return { of, wall, steady };
  });
}

/** A site whose procedures note each call, in memory until the worker ends. A worker has run there once. */
async function benchSite(directory: string, code: string, settings = {}): Promise<Site> {
  const noting = `
import { writeFileSync } from 'node:fs';
import * as linod from 'linod';

const calls = [];
const call = (ar) => {
  calls.push(ar.jobId, Date.now(), Number(process.hrtime.bigint()) / 1e6);
};
process.on('exit', () => writeFileSync(${JSON.stringify(join(directory, 'calls.json'))}, JSON.stringify(calls)));
`;
  const site = await makeSite(directory, settings, { file: 'bench.mjs', code: noting + code });
  await (await startWorker(site)).stop();
  return site;
}

/** BullMQ for one measurement: a Redis of its own, a queue here, and a worker in a process of its own. */
class Bull {
  readonly queue: BullQueue;
  readonly redis: RedisServer;
  readonly #home: string;
  readonly #directory: string;

  private constructor(home: string, directory: string, redis: RedisServer) {
    this.#home = home;
    this.#directory = directory;
    this.redis = redis;
    this.queue = new (loadBullMq(home).Queue)('bench', bullMqOptions(redis.url));
  }

  static async start(home: string, directory: string): Promise<Bull> {
    return new Bull(home, directory, await startRedis());
  }

  async startWorker(concurrency: number): Promise<Program> {
    const file = fileURLToPath(new URL('bullmq-worker.ts', import.meta.url));
    const calls = join(this.#directory, 'calls.json');
    return await Program.start({
      name: 'BullMQ',
      command: process.execPath,
      args: [...process.execArgv, file, this.#home, this.redis.url, String(concurrency), calls],
      directory: fileURLToPath(new URL('../..', import.meta.url)),
      ready: /^ready$/,
    });
  }

  async close(): Promise<void> {
    await this.queue.close();
    await this.redis.close();
  }
}

// ---- one question for the next time

function recurrenceOf(notation: Notation) {
  const start = `${new Date().getUTCFullYear() - 5}-03-01T20:00:00`;
  const timezone = 'Europe/Tallinn';
  const { Recurrence } = linod;
  const from = new Date(`${start}Z`);
  switch (notation) {
    case 'tenSeconds':
      return Recurrence.from({ everyUnit: 'secondly', every: 10, start, timezone });
    case 'daily':
      return Recurrence.from({ everyUnit: 'daily', every: 1, start, timezone });
    case 'monthly': {
      const weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'] as const;
      return Recurrence.from({ everyUnit: 'monthly', every: 1, weekdays, positions: [-1], start, timezone });
    }
    case 'rrule':
      return Recurrence.parse('RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU', { from, timezone });
    case 'cron':
      return Recurrence.parse('15 9 * * 1-5', { from, timezone });
  }
}

/** The median of batches of questions, in µs; the instants are of the coming day. */
async function nextRun({ quick }: Context): Promise<Found> {
  const now = Date.now();
  const costUs = (notation: Notation) => {
    const recurrence = recurrenceOf(notation);
    let asked = 0;
    const batches: number[] = [];
    const until = performance.now() + (quick ? 50 : 500);
    do {
      const from = performance.now();
      for (let i = 0; i < 100; i++)
        recurrence.nextAfter(new Date(now + ((asked++ * 7919) % 86_400) * secondMs));
      batches.push((performance.now() - from) * 10);
    } while (performance.now() < until);
    return quantiles(batches).p50;
  };
  return Object.fromEntries(Object.keys(notations).map((key) => [key, costUs(key as Notation)]));
}

// ---- a thousand rules each second

interface Window {
  readonly from: number;
  readonly seconds: number;
  /** Processor time of the worker and, for BullMQ, of Redis. */
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** Lets the worker settle, and looks at what it uses in some whole seconds. */
async function watch(worker: Program, quick: boolean, serverCpuMs = () => 0): Promise<Window> {
  const seconds = quick ? 4 : 20;
  await pause((quick ? 3 : 10) * secondMs);
  // Half a second away from when the rules are due.
  await pause(secondMs - ((Date.now() + secondMs / 2) % secondMs));
  const from = Date.now();
  const cpu = () => worker.usage().cpuMs + serverCpuMs();
  const before = cpu();
  const memory: number[] = [];
  for (let second = 1; second <= seconds; second++) {
    await pause(from + second * secondMs - Date.now());
    memory.push(worker.usage().rssBytes);
  }
  return { from, seconds, cpuMs: cpu() - before, rssBytes: quantiles(memory).p50 };
}

/** `runs` a second, how late they are, `cpu` in per cent of a core, `rss` in MiB. */
function lateness(window: Window, calls: readonly Call[], dueAt: (call: Call) => number): Found {
  const { from, seconds, cpuMs, rssBytes } = window;
  const late = calls.flatMap((call) => {
    const due = dueAt(call);
    return due > from && due <= from + seconds * secondMs ? [call.wall - due] : [];
  });
  const cpu = (cpuMs / (seconds * secondMs)) * 100;
  return { runs: late.length / seconds, ...quantiles(late), cpu, rss: rssBytes / 1024 ** 2 };
}

const ruleCount = 1000;

async function rulesOfLinod({ directory, quick }: Context): Promise<Found> {
  const site = await benchSite(
    directory,
    `for (let i = 0; i < ${ruleCount}; i++) linod.scheduleOften({ name: 'tick' + i, every: 1, everyUnit: 'secondly' }, call);`,
  );
  // No rule waits for the slot of another one.
  const worker = await startWorker(site, '--concurrency', String(ruleCount));
  const window = await watch(worker, quick);
  await worker.stop();
  const store = await linod.openStore(site);
  const jobs = await store.db
    .selectFrom('jobs')
    .select(['id', 'due_at'])
    .where('status', '=', 'done')
    .execute();
  await store.close();
  const dueAt = new Map(jobs.map((job) => [job.id, job.due_at]));
  return lateness(window, await readCalls(directory), ({ of }) => dueAt.get(of) ?? Number.NaN);
}

async function rulesOfBullMq({ directory, quick }: Context, home: string): Promise<Found> {
  const bull = await Bull.start(home, directory);
  for (let i = 0; i < ruleCount; i++)
    await bull.queue.upsertJobScheduler(`tick${i}`, { pattern: '* * * * * *' });
  // A higher concurrency makes it no quicker.
  const worker = await bull.startWorker(50);
  const window = await watch(worker, quick, () => bull.redis.cpuMs());
  await worker.stop();
  await bull.close();
  return lateness(window, await readCalls(directory), ({ of }) => of);
}

// ---- run now

const asked = `linod.scheduleDaily({ name: 'asked', overlap: 'allow' }, call);`;
const askedCount = (quick: boolean) => (quick ? 100 : 600);

/** Asks every 10 ms, so that no run waits for another one. */
async function paced(quick: boolean, ask: () => Promise<void>): Promise<void> {
  await pause(2 * secondMs);
  for (let i = 0; i < askedCount(quick); i++) {
    await ask();
    await pause(10);
  }
  await pause(secondMs / 2);
}

/** The first fifth warms up. */
function delays(quick: boolean, calls: readonly Call[], askedAt: (call: Call) => number): Found {
  const count = askedCount(quick);
  if (calls.length !== count) throw new Error(`of ${count} runs that were asked for ${calls.length} began`);
  return quantiles(calls.slice(count / 5).map((call) => call.steady - askedAt(call)));
}

/** From the request in this process until the procedure is called in the worker. */
async function runNow({ directory, quick }: Context, settings = {}): Promise<Found> {
  const site = await benchSite(directory, asked, settings);
  const worker = await startWorker(site);
  const store = await linod.openStore(site);
  const layer = await site.openLayer();
  const askedAt = new Map<number, number>();
  await paced(quick, async () => {
    const at = monotonicMs();
    const { request } = await linod.RunJob.request({ site, store, layer, user: 'bench' }, 'asked');
    askedAt.set(request, at);
  });
  const jobs = await store.db.selectFrom('jobs').select(['id', 'request_id']).execute();
  await layer.close();
  await store.close();
  await worker.stop();
  const requestOf = new Map(jobs.map((job) => [job.id, job.request_id]));
  return delays(
    quick,
    await readCalls(directory),
    ({ of }) => askedAt.get(requestOf.get(of) ?? 0) ?? Number.NaN,
  );
}

async function runNowOnPostgres(context: Context): Promise<Found | undefined> {
  const server = await startPostgres();
  if (server === undefined) return undefined;
  try {
    return await runNow(context, { databaseUrl: server.url });
  } finally {
    await server.close();
  }
}

async function runNowOfBullMq({ directory, quick }: Context, home: string): Promise<Found> {
  const bull = await Bull.start(home, directory);
  const worker = await bull.startWorker(1);
  await paced(quick, async () => void (await bull.queue.add('asked', { at: monotonicMs() })));
  await worker.stop();
  await bull.close();
  return delays(quick, await readCalls(directory), ({ of }) => of);
}

// ---- many requests that wait

const requestCount = (quick: boolean) => (quick ? 5000 : 100_000);

/** The worker has fifteen seconds. The first fifth of what it runs in them is not counted. */
async function untilDone(isLeft: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 15 * secondMs;
  do await pause(secondMs / 2);
  while ((await isLeft()) && performance.now() < giveUpAt);
}

function rate(calls: readonly Call[]): Found {
  const counted = calls.slice(Math.floor(calls.length / 5));
  const [first, last] = [counted[0]?.steady ?? Number.NaN, counted.at(-1)?.steady ?? Number.NaN];
  return { runs: ((counted.length - 1) / (last - first)) * secondMs };
}

async function requestsOfLinod({ directory, quick }: Context): Promise<Found> {
  const site = await benchSite(directory, asked);
  const store = await linod.openStore(site);
  const { db } = store;
  const { id } = await db.selectFrom('job_rules').select('id').executeTakeFirstOrThrow();
  const { sql } = linod;
  await sql`
    with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ${requestCount(quick)})
    insert into job_requests (rule_id, action, requested_at, requested_by)
    select ${id}, 'run', ${Date.now()}, 'bench' from numbers
  `.execute(db);
  const worker = await startWorker(site, '--concurrency', '50');
  const open = db.selectFrom('job_requests').select('id').where('handled_at', 'is', null).limit(1);
  await untilDone(async () => (await open.execute()).length > 0);
  await worker.stop();
  const done = db.selectFrom('jobs').where('status', '=', 'done');
  const { count } = await done.select((eb) => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
  await store.close();
  const calls = await readCalls(directory);
  if (calls.length !== count) throw new Error(`of ${calls.length} runs ${count} are recorded as done`);
  return rate(calls);
}

async function requestsOfBullMq({ directory, quick }: Context, home: string): Promise<Found> {
  const bull = await Bull.start(home, directory);
  for (let added = 0; added < requestCount(quick); added += 5000)
    await bull.queue.addBulk(Array.from({ length: 5000 }, () => ({ name: 'asked', data: { at: 0 } })));
  const worker = await bull.startWorker(50);
  await untilDone(async () => (await bull.queue.getJobCountByTypes('waiting', 'active')) > 0);
  await worker.stop();
  await bull.close();
  return rate(await readCalls(directory));
}

await contest(rows, 3, async (directory, isWanted) => {
  const home = ['rules', 'run-now', 'requests'].some(isWanted) ? await fetchBullMq(directory) : undefined;
  const bull = (measure: (context: Context, home: string) => Promise<Found>) => async (context: Context) =>
    home === undefined ? undefined : await measure(context, home);
  return {
    experiments: [
      { key: 'next-run', once: true, contestants: { linod: nextRun } },
      { key: 'rules', contestants: { linod: rulesOfLinod, bullmq: bull(rulesOfBullMq) } },
      {
        key: 'run-now',
        contestants: {
          sqlite: (context) => runNow(context),
          postgres: runNowOnPostgres,
          bullmq: bull(runNowOfBullMq),
        },
      },
      { key: 'requests', contestants: { linod: requestsOfLinod, bullmq: bull(requestsOfBullMq) } },
    ],
  };
});
