// One run of a shipped procedure, in the worker that is there, and what it costs.

import { setTimeout as pause } from 'node:timers/promises';
import { openTasks } from '../../../src/actors.js';
import type { Site } from '../../../src/site.js';
import type { Store } from '../../../src/store/store.js';
import type { Job } from '../../../src/tasks/job.js';
import type { Program } from '../shared/program.js';

const lookEveryMs = 20;
const patienceMs = 900_000;

export interface MeasuredRun {
  readonly job: Job;
  readonly ms: number;
  /** Bytes of the worker's memory when a tenth was done, and at the end. */
  readonly rssTenth: number;
  readonly rssEnd: number;
}

/** Asks for a run as `linod rule N run` does, and waits for its end. @throws Error when it is not done */
export async function runRule(
  site: Site,
  store: Store,
  worker: Program,
  procedure: string,
): Promise<MeasuredRun> {
  const { requests, rules, jobs } = openTasks({ site, store, user: 'bench' });
  const rule = (await rules.list()).find((candidate) => candidate.procedure === procedure);
  if (rule === undefined) throw new Error(`there is no rule of ${procedure}`);
  await requests.add(rule.id, 'run', 'bench');
  const giveUpAt = Date.now() + patienceMs;
  let rssTenth = 0;
  while (Date.now() < giveUpAt) {
    await pause(lookEveryMs);
    const [job] = await jobs.list({ ruleId: rule.id, limit: 1 });
    if (job === undefined) continue;
    const { done = 0, total = null } = job.progress ?? {};
    if (rssTenth === 0 && total !== null && done >= total / 10) rssTenth = worker.usage().rssBytes;
    if (job.endDatetime === null) continue;
    if (job.status !== 'done') throw new Error(`${procedure} is ${job.status}: ${job.message}`);
    const ms = job.endDatetime.getTime() - job.startDatetime.getTime();
    return { job, ms, rssTenth, rssEnd: worker.usage().rssBytes };
  }
  throw new Error(`${procedure} has not ended`);
}

export function mib(bytes: number): number {
  return bytes / 1024 ** 2;
}
