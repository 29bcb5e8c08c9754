// Measures the site's database: how many jobs a second are claimed and ended, and how soon a worker hears of a
// request that another process has written, and begins to run it.
//
//     node scripts/bench.mjs store [--jobs N] [--requests N] [--postgres URL]
//
// Without a URL only SQLite is measured. Of the PostgreSQL database only tables of linod's are written; name an empty
// one. Exit codes: 0.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ChoiceList } from '../../src/choices.js';
import { systemClock } from '../../src/clock.js';
import { Logger } from '../../src/log/logger.js';
import { Procedure } from '../../src/procedure.js';
import { loadSite } from '../../src/site.js';
import { sql } from '../../src/store/kysely.js';
import { openStore, type Store } from '../../src/store/store.js';
import { Claimer, type View } from '../../src/tasks/claims.js';
import { createTasks } from '../../src/tasks/create-tasks.js';
import { Ends } from '../../src/tasks/ends.js';
import { TaskLoop } from '../../src/tasks/loop.js';
import { Requests } from '../../src/tasks/requests.js';
import { Rules } from '../../src/tasks/rules.js';

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '2000' },
    requests: { type: 'string', default: '1000' },
    postgres: { type: 'string' },
  },
});
const jobCount = Number(values.jobs);
const requestCount = Number(values.requests);
const everySecond = { every: 1, everyUnit: 'secondly' } as const;
const quiet: View = { freePlaces: 1000, lookingSince: 0, hindrance: () => null, left: [] };
const nobody = { procedures: [], rules: [], groups: [] };
const done = { status: 'done', message: 'done' } as const;
const directory = await mkdtemp(join(tmpdir(), 'linod-bench-store-'));

say(
  `node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? '?'}, load ${loadavg()[0]?.toFixed(2)}`,
);
await measure(`sqlite:${join(directory, 'linod.db')}`);
if (values.postgres !== undefined) await measure(values.postgres);
await rm(directory, { recursive: true });

async function measure(url: string): Promise<void> {
  const store = await openStore({ url });
  say(store.time === null ? 'SQLite' : `PostgreSQL ${await serverVersion(store)}`);
  await measureDue(store);
  await measureRequests(store);
  if (store.follow !== null) await measureNews(store, url);
  await measureRunNow(store, url);
  await store.close();
}

/** A rule of every second on a clock that runs ahead: each due time is decided, its job written, and ended. */
async function measureDue(store: Store): Promise<void> {
  let now = Date.now();
  const { rules, claimer, ends } = worker(store, { now: () => now });
  const rule = await rules.create(new Procedure('bench_due', () => undefined, everySecond, 'here'));
  await rate(`${jobCount} due times, one after the other: claimed and ended`, jobCount, async () => {
    now += 1000;
    const due = (await rules.get(rule.id)).nextDueAt?.getTime() ?? 0;
    now = Math.max(now, due);
    const { claimed } = await claimer.claimDue([{ id: rule.id, dueAt: due }], quiet);
    if (claimed.length !== 1) throw new TypeError('a due time was not claimed');
    for (const { job, rule } of claimed) await ends.finish(job, rule, done);
  });
  await rules.cancel(rule.id);
}

async function measureRequests(store: Store): Promise<void> {
  const { rules, requests, claimer, ends } = worker(store, systemClock);
  const rule = await rules.create(new Procedure('bench_asked', () => undefined, {}, 'here'));
  await rate(`${jobCount} requests, one after the other: written, claimed and ended`, jobCount, async () => {
    await requests.add(rule.id, 'run', 'bench');
    const { claimed } = await claimer.claimRequests(await requests.open(1, nobody), quiet);
    if (claimed.length !== 1) throw new TypeError('a request was not claimed');
    for (const { job, rule } of claimed) await ends.finish(job, rule, done);
  });
  await rules.cancel(rule.id);
}

/** From before a request is written, by another connection than the one that listens, until its notice is here. */
async function measureNews(store: Store, url: string): Promise<void> {
  const asker = await openStore({ url });
  const { rules, requests } = worker(asker, systemClock);
  const rule = await rules.create(new Procedure('bench_news', () => undefined, {}, 'here'));
  let heard: () => void = () => undefined;
  const following = store.follow?.({
    clock: systemClock,
    onNews: (topic) => {
      if (topic === 'job_requests') heard();
    },
    onTrouble: (error) => {
      if (error !== undefined) throw error;
    },
  });
  await following?.listening;
  const written: number[] = [];
  const noticed: number[] = [];
  for (let i = 0; i < requestCount; i++) {
    const news = new Promise<void>((resolve) => {
      heard = resolve;
    });
    const start = performance.now();
    const noticedAt = news.then(() => performance.now() - start);
    await requests.add(rule.id, 'run', 'bench');
    written.push(performance.now() - start);
    noticed.push(await noticedAt);
  }
  say(`  a request is written after ${quantiles(written)}`);
  say(`  a listening worker has its notice after ${quantiles(noticed)}`);
  await following?.close();
  await rules.cancel(rule.id);
  await asker.close();
}

/** From before a request is written by another connection until the procedure is called; on SQLite it is woken by hand. */
async function measureRunNow(store: Store, url: string): Promise<void> {
  const asker = await openStore({ url });
  let called: () => void = () => undefined;
  const procedures = new ChoiceList<Procedure>();
  const procedure = procedures.add(new Procedure('bench_now', () => called(), {}, 'here'));
  await writeFile(join(directory, 'linod.config.json'), '{ "name": "bench" }');
  const site = await loadSite(directory, { environment: {} });
  const { tasks, rules } = createTasks({ site, store, procedures, workerId: 'bench' });
  const loop = new TaskLoop(tasks, systemClock, new Logger({ sink: { write: () => {} }, name: 'bench' }));
  const following = store.follow?.({
    clock: systemClock,
    onNews: () => loop.wake(),
    onTrouble: () => undefined,
  });
  await following?.listening;
  const rule = await rules.create(procedure);
  loop.start();
  const { requests } = worker(asker, systemClock);
  const started: number[] = [];
  for (let i = 0; i < requestCount; i++) {
    const call = new Promise<void>((resolve) => {
      called = resolve;
    });
    const start = performance.now();
    await requests.add(rule.id, 'run', 'bench');
    if (following === undefined) loop.wake();
    await call;
    started.push(performance.now() - start);
    await tasks.settled();
  }
  say(`  the procedure is called after ${quantiles(started)}`);
  await loop.stop(1000);
  await following?.close();
  await rules.cancel(rule.id);
  await asker.close();
}

function worker(store: Store, clock: { now(): number }) {
  const rules = new Rules(store.db, 'UTC', clock, 'bench');
  const requests = new Requests(store.db, rules, clock);
  const claimer = new Claimer(store.db, rules, clock, 'bench');
  return { rules, requests, claimer, ends: new Ends(store.db, rules, clock, 'bench') };
}

async function rate(what: string, count: number, step: () => Promise<void>): Promise<void> {
  for (let i = 0; i < 100; i++) await step();
  const start = performance.now();
  for (let i = 0; i < count; i++) await step();
  const seconds = (performance.now() - start) / 1000;
  say(`  ${what}: ${Math.round(count / seconds)} a second`);
}

async function serverVersion(store: Store): Promise<string> {
  const asked = await sql<{ server_version: string }>`show server_version`.execute(store.db);
  return asked.rows[0]?.server_version ?? '?';
}

function quantiles(ms: number[]): string {
  const sorted = ms.sort((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(2);
  return `${at(0.5)} ms (p50), ${at(0.99)} ms (p99)`;
}

function say(text: string): void {
  console.log(text);
}
