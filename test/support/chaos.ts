// Workers of one site that are killed, stopped and started at random while they run many rules, and what has to be true
// of the ledger and the jobs afterwards.

import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { Test } from 'tap';
import { openTasks } from '../../src/actors/tables.js';
import { systemClock } from '../../src/base/clock.js';
import { WorkerRegistry } from '../../src/membership/worker-registry.js';
import type { JobRule } from '../../src/rules/rule.js';
import { loadSite } from '../../src/site/site.js';
import { LiveSite } from './live-site.js';
import type { PostgresServer } from './postgres.js';
import { eventually, type Program } from './programs.js';
import type { Random } from './random.js';

export interface ChaosOptions {
  readonly random: Random;
  readonly seconds: number;
  readonly rules: number;
  readonly workers: number;
  /** Restarted at random, too; SQLite without. */
  readonly server?: PostgresServer;
}

/** What was done, and what is wrong: lists that should be empty. */
export interface ChaosResult {
  readonly done: Readonly<Record<string, number>>;
  readonly jobs: number;
  readonly dueTimes: number;
  /** Due times that two runs began for. */
  readonly twice: readonly string[];
  /** Due times without an entry in the ledger. */
  readonly untold: readonly string[];
  /** Jobs that are still running although their process is gone. */
  readonly hanging: readonly string[];
  /** Jobs that began in no process, or in another one than they say. */
  readonly strange: readonly string[];
}

/** Rules from every second up, with all ways to deal with runs that are late or overlap. Each start is written to a file. */
export const chaosProcedures = (rules: number): string => `import { scheduleOften } from 'linod';
import { appendFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

const starts = new URL('../starts.txt', import.meta.url);
const every = [1, 1, 2, 3, 5, 7, 10, 15];
const overlap = ['skip', 'skip', 'queue-one', 'allow', 'cancel-previous'];
const misfire = ['run-once', 'run-once', 'skip', 'run-all'];
for (let i = 0; i < ${rules}; i++) {
  scheduleOften(
    {
      name: 'chaos' + i,
      every: every[i % every.length],
      overlap: overlap[i % overlap.length],
      misfire: misfire[i % misfire.length],
      misfireWindowSeconds: i % 7 === 0 ? 8 : 0,
      group: i % 13 === 0 ? 'few' : '',
      groupLimit: 2,
      onFailure: 'continue',
    },
    async (ar) => {
      appendFileSync(starts, ar.jobId + ' ' + process.pid + '\\n');
      await setTimeout((i * 37) % 900, undefined, { signal: ar.signal });
      if (i % 11 === 0) throw new Error('now and then');
    },
  );
}
`;

/** Runs the chaos. What it does is chosen by `random`; how the processes take it is up to them. */
export async function chaos(t: Test, options: ChaosOptions): Promise<ChaosResult> {
  const { random, seconds, rules, server } = options;
  const site = new LiveSite(t, {
    maxJobs: 60,
    ...(server === undefined ? {} : { databaseUrl: await server.createDatabase() }),
    files: { 'procedures/chaos.ts': chaosProcedures(rules), 'starts.txt': '' },
  });
  const done: Record<string, number> = {};
  const count = (what: string) => {
    done[what] = (done[what] ?? 0) + 1;
  };
  const start = () => site.start('runworker', site.channel, '--initiate', '--grace', '2');
  const workers: Program[] = [await site.startWorker('--initiate', '--grace', '2')];
  while (workers.length < options.workers) workers.push(start());
  const endAt = performance.now() + seconds * 1000;
  while (performance.now() < endAt) {
    await setTimeout(random.whole(100, 700));
    const i = random.whole(0, workers.length - 1);
    const worker = workers[i];
    if (worker === undefined) throw new Error('unreachable: there is one');
    // One that found no database ends by itself.
    if (!worker.isRunning) {
      workers[i] = start();
      count('started');
      continue;
    }
    const what = random.pick(['kill', 'kill', 'stop', 'stop', 'terminate', 'database'] as const);
    if (what === 'kill') {
      worker.kill('SIGKILL');
      count('killed');
    } else if (what === 'stop') {
      worker.kill('SIGSTOP');
      await setTimeout(random.whole(50, 2000));
      worker.kill('SIGCONT');
      count('suspended');
    } else if (what === 'terminate') {
      worker.kill('SIGTERM');
      count('terminated');
    } else if (server !== undefined && random.chance(0.3)) {
      await (random.chance(0.5) ? server.kill() : server.stop());
      await setTimeout(random.whole(0, 1500));
      await server.start();
      count('restarted the database');
    }
  }
  for (const worker of workers) worker.kill('SIGKILL');
  await Promise.all(workers.map((worker) => worker.ended()));
  return { done, ...(await examine(site, await calm(site))) };
}

/** Lets one worker catch up. @returns an instant up to which everything is decided */
async function calm(site: LiveSite): Promise<number> {
  const worker = await site.startWorker('--initiate', '--grace', '10');
  const until = await untilDecided(site);
  worker.kill('SIGTERM');
  await worker.ended();
  return until;
}

/** Waits for a worker to catch up. @returns an instant up to which everything is decided */
export async function untilDecided(site: LiveSite): Promise<number> {
  const until = Date.now();
  const { db } = await site.store();
  await eventually('all that was due before is decided', async () => {
    const row = await db
      .selectFrom('job_rules')
      .select((eb) => eb.fn.min('next_due_at').as('next'))
      .executeTakeFirst();
    return Number(row?.next ?? 0) > until;
  });
  return until;
}

export async function examine(site: LiveSite, until: number): Promise<Omit<ChaosResult, 'done'>> {
  const store = await site.store();
  const loaded = await loadSite(site.directory, { environment: {} });
  const { rules } = await openTasks({ site: loaded, store });
  const jobs = await site.jobs();
  const entries = await store.db
    .selectFrom('decisions')
    .selectAll()
    .where('due_at', 'is not', null)
    .execute();
  const untold: string[] = [];
  let dueTimes = 0;
  for (const rule of await rules.list()) {
    const told = entries.filter((entry) => entry.rule_id === rule.id);
    const due = dueTimesOf(rule, until);
    dueTimes += due.length;
    for (const at of due) {
      const isTold = told.some(
        (entry) => (entry.due_at ?? 0) <= at && at <= (entry.due_until ?? entry.due_at ?? 0),
      );
      if (!isTold) untold.push(`rule ${rule.id} at ${new Date(at).toISOString()}`);
    }
  }
  const starts = readFileSync(site.path('starts.txt'), 'utf8').split('\n').filter(Boolean);
  const living = new Set((await new WorkerRegistry(store.db, systemClock).living()).map(({ id }) => id));
  const byId = new Map(jobs.map((job) => [job.id, job]));
  const begun = starts.map((line) => byId.get(Number(line.split(' ')[0])));
  return {
    jobs: jobs.length,
    dueTimes,
    twice: repeated(
      begun.flatMap((job) =>
        job?.dueAt == null ? [] : [`rule ${job.ruleId} at ${job.dueAt.toISOString()}`],
      ),
    ),
    untold,
    hanging: jobs
      .filter((job) => job.status === 'running' && !living.has(job.workerId))
      .map((job) => `job ${job.id} of ${job.workerId}`),
    strange: starts.filter((line) => {
      const [id, pid] = line.split(' ');
      return !byId.get(Number(id))?.workerId.includes(`[${pid}]`);
    }),
  };
}

function dueTimesOf(rule: JobRule, until: number): number[] {
  const times: number[] = [];
  let next = rule.dueAfter(rule.createdAt);
  while (next !== null && next.getTime() <= until) {
    times.push(next.getTime());
    next = rule.dueAfter(next);
  }
  return times;
}

function repeated(list: readonly string[]): string[] {
  const seen = new Set<string>();
  return list.filter((item) => seen.has(item) || !seen.add(item));
}
