// Many rules that are due each second, with procedures that do nothing: how late they are called, and what it costs.

import { setTimeout as pause } from 'node:timers/promises';
import type { Program, Usage } from '../shared/program.js';
import { quantiles } from '../shared/quantiles.js';
import type { Found } from '../shared/results.js';
import { BenchQueue } from './bullmq.js';
import type { Call } from './calls.js';
import type { Context } from './context.js';
import { BenchSite } from './linod-worker.js';

const secondMs = 1000;
/** What is compiled and cached in the first seconds is not what a second costs. */
const settle = { seconds: 10, quickSeconds: 3 };
const measured = { seconds: 20, quickSeconds: 4 };
/** The least number of places that lets none of the rules wait for another one's. */
const concurrencyOf = (rules: number) => Math.min(rules, 1000);
/** Of BullMQ: a higher one makes it no quicker. */
const bullMqConcurrency = 50;

interface Window {
  /** Wall time, half a second away from when anything is due. */
  readonly from: number;
  readonly seconds: number;
  readonly worker: { readonly before: Usage; readonly after: Usage };
  /** The worker's memory in the middle of each second. */
  readonly rssBytes: readonly number[];
  readonly redisCpuMs: number;
}

/**
 * `runs` a second, their lateness `p50` and `p99` in ms, `cpu` in per cent of a core, `rss`, the median, and `peak` in MiB. History and
 * ledger are written, as always.
 */
export async function rulesOfLinod(rules: number, { directory, quick }: Context): Promise<Found> {
  const bench = await BenchSite.make({
    directory,
    procedures: `for (let i = 0; i < ${rules}; i++)
      linod.scheduleOften({ name: 'tick' + i, every: 1, everyUnit: 'secondly' }, call);`,
  });
  const worker = await bench.startWorker({ concurrency: concurrencyOf(rules) });
  const window = await watch(worker, quick);
  await worker.stop();
  const calls = await bench.calls();
  const store = await bench.site.openStore();
  const { from, seconds } = window;
  const jobs = await store.db
    .selectFrom('jobs')
    .select(['id', 'due_at'])
    .where('status', '=', 'done')
    .where('due_at', '>', from)
    .where('due_at', '<=', from + seconds * secondMs)
    .execute();
  await store.close();
  const dueAt = new Map(jobs.map((job) => [job.id, job.due_at]));
  return found(window, calls, ({ of }) => dueAt.get(of) ?? Number.NaN);
}

/** The same, and `redisCpu`, in per cent of a core. */
export async function rulesOfBullMq(rules: number, context: Context): Promise<Found | undefined> {
  const { quick, peers } = context;
  if (peers.bullmq === undefined) return undefined;
  const bench = await BenchQueue.make(peers.bullmq, context);
  const pattern = '* * * * * *';
  await Promise.all(
    Array.from({ length: rules }, (_, i) => bench.queue.upsertJobScheduler(`tick${i}`, { pattern })),
  );
  const worker = await bench.startWorker(bullMqConcurrency);
  const window = await watch(worker, quick, async () => (await bench.redis.usage()).cpuMs);
  await worker.stop();
  await bench.close();
  const redisCpu = percent(window.redisCpuMs, window);
  return { ...found(window, await bench.calls(), ({ of }) => of), redisCpu };
}

/** Waits until the worker has settled, and then looks at what it uses over some whole seconds. */
async function watch(
  worker: Program,
  quick: boolean,
  serverCpuMs: () => Promise<number> = async () => 0,
): Promise<Window> {
  const seconds = quick ? measured.quickSeconds : measured.seconds;
  await pause((quick ? settle.quickSeconds : settle.seconds) * secondMs);
  await pause(secondMs - ((Date.now() + secondMs / 2) % secondMs));
  const from = Date.now();
  const [before, serverBefore] = [worker.usage(), await serverCpuMs()];
  const rssBytes: number[] = [];
  for (let second = 1; second <= seconds; second++) {
    await pause(from + second * secondMs - Date.now());
    rssBytes.push(worker.usage().rssBytes);
  }
  const [after, serverAfter] = [worker.usage(), await serverCpuMs()];
  return { from, seconds, worker: { before, after }, rssBytes, redisCpuMs: serverAfter - serverBefore };
}

function found(window: Window, calls: readonly Call[], dueAt: (call: Call) => number): Found {
  const { from, seconds, worker, rssBytes } = window;
  const lateness = calls.flatMap((call) => {
    const due = dueAt(call);
    return due > from && due <= from + seconds * secondMs ? [call.wall - due] : [];
  });
  const mib = (bytes: number) => bytes / 1024 ** 2;
  return {
    runs: lateness.length / seconds,
    ...quantiles(lateness),
    cpu: percent(worker.after.cpuMs - worker.before.cpuMs, window),
    // Of one moment it would be chance: between two collections of its garbage a process has a half more after than before.
    rss: mib(quantiles(rssBytes).p50),
    peak: mib(worker.after.peakRssBytes),
  };
}

function percent(cpuMs: number, { seconds }: Window): number {
  return (cpuMs / (seconds * secondMs)) * 100;
}
