// The tables that a person sees, and what can be done there, as the original names them.

import { systemClock } from './clock.js';
import { noticeDead } from './membership/notice-dead.js';
import { WorkerRegistry } from './membership/registry.js';
import type { Procedure } from './procedure.js';
import type { Site } from './site.js';
import type { WorkerRow } from './store/schema.js';
import type { Store } from './store/store.js';
import { createTasks, type SiteTasks } from './tasks/create-tasks.js';
import { type Job, jobFromRow } from './tasks/job.js';
import type { JobFilter } from './tasks/jobs.js';
import { type JobRequest, mergedWith } from './tasks/requests.js';
import type { JobRule } from './tasks/rule.js';
import type { SyncReport } from './tasks/rules.js';

/** Whose tables: a site with its open database. */
export interface ActorContext {
  readonly site: Site;
  readonly store: Store;
  /** Who acts, for the ledger. */
  readonly user?: string;
}

/** The rules and the jobs of a site, for reading and changing them from outside a worker. */
export function openTasks({ site, store, user = 'somebody' }: ActorContext): SiteTasks {
  return createTasks({ site, store, workerId: user });
}

/**
 * Marks workers whose process is gone, and what they ran as lost, so that what is shown next is true.
 *
 * @returns the workers that live
 */
export async function lookAround(context: ActorContext): Promise<WorkerRow[]> {
  const registry = new WorkerRegistry(context.store.db, systemClock);
  const { ends, outside } = openTasks(context);
  await noticeDead(registry, ends, { judgeSilence: false });
  const living = await registry.living();
  // A worker takes over by itself what was changed in the database.
  if (living.length === 0) await outside.look();
  return living;
}

/** All job rules in their order. */
export const JobRules = {
  async rows(context: ActorContext, options: { removed?: boolean } = {}): Promise<JobRule[]> {
    return await openTasks(context).rules.list(options);
  },
};

/** The newest jobs, the newest first. */
export const Jobs = {
  async rows(context: ActorContext, filter: JobFilter = {}): Promise<Job[]> {
    return await openTasks(context).jobs.list(filter);
  },
};

/** The newest jobs of one rule. */
export const JobsByRule = {
  async rows(context: ActorContext, ruleId: number, limit = 20): Promise<Job[]> {
    return await openTasks(context).jobs.list({ ruleId, limit });
  },
};

/** The workers that run. */
export const Workers = {
  async rows(context: ActorContext): Promise<WorkerRow[]> {
    return await lookAround(context);
  },
};

/** The action that adjusts the rules to the procedures; a worker does it when it starts. */
export const SetupTasks = {
  async run(context: ActorContext, procedures: Iterable<Procedure>): Promise<SyncReport> {
    return await openTasks(context).rules.sync(procedures);
  },
};

/** The action that runs one rule at once, or ends its run. */
export const RunJob = {
  /**
   * Writes the request down; a worker takes it up.
   *
   * @returns the number of the request
   * @throws UsageError (`LINOD_ERR_USAGE`) when there is no such rule
   */
  async request(
    context: ActorContext,
    ruleId: number,
    action: JobRequest['action'] = 'run',
  ): Promise<number> {
    return await openTasks(context).requests.add(ruleId, action, context.user ?? 'somebody');
  },
};

/** The action that ends one run, on whichever worker it goes on. */
export const CancelJob = {
  /**
   * Writes the request down; the worker that runs the job takes it up.
   *
   * @returns the number of the request; null when the job had ended before
   * @throws UsageError (`LINOD_ERR_USAGE`) when there is no such job
   */
  async request(context: ActorContext, jobId: number): Promise<number | null> {
    const { requests, jobs } = openTasks(context);
    try {
      return await requests.addCancel(jobId, context.user ?? 'somebody');
    } catch (error) {
      if ((await jobs.get(jobId)).status !== 'running') return null;
      throw error;
    }
  },
};

/** How often a waiting program looks. */
const lookMs = 100;

/** Waits until a job has ended, at most so long. @returns the job as it is then */
export async function endOfJob(context: ActorContext, jobId: number, timeoutMs: number): Promise<Job> {
  const { jobs } = openTasks(context);
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    await lookAround(context);
    const job = await jobs.get(jobId);
    if (job.status !== 'running' || performance.now() >= giveUpAt) return job;
    await sleep(lookMs);
  }
}

/** What became of a request for a run. */
export interface RequestFate {
  /** In words, as the worker that took it up wrote it, `run` when it runs; null while nobody has. */
  readonly outcome: string | null;
  readonly job: Job | null;
}

/** Waits until a worker has taken a request up or refused it, at most so long. */
export async function fateOfRequest(
  { store: { db } }: ActorContext,
  request: number,
  timeoutMs: number,
): Promise<RequestFate> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    const { outcome } = await db
      .selectFrom('job_requests')
      .select('outcome')
      .where('id', '=', request)
      .executeTakeFirstOrThrow();
    if (outcome !== null || performance.now() >= giveUpAt) {
      const row = await db
        .selectFrom('jobs')
        .selectAll()
        .where('request_id', '=', request)
        .executeTakeFirst();
      return { outcome, job: row === undefined ? null : jobFromRow(row) };
    }
    await sleep(lookMs);
  }
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Waits until the run that was requested has ended, or that of a request that stands for it.
 *
 * @returns null when the request was withdrawn, or skipped
 */
export async function jobOfRequest(context: ActorContext, asked: number): Promise<Job | null> {
  const { db } = context.store;
  for (let request = asked; ; ) {
    await lookAround(context);
    const row = await db.selectFrom('jobs').selectAll().where('request_id', '=', request).executeTakeFirst();
    if (row !== undefined && row.status !== 'running') return jobFromRow(row);
    const { outcome } = await db
      .selectFrom('job_requests')
      .select('outcome')
      .where('id', '=', request)
      .executeTakeFirstOrThrow();
    const other = outcome === null ? null : mergedWith(outcome);
    if (other !== null) request = other;
    else if (row === undefined && outcome !== null && outcome !== 'run') return null;
    await sleep(lookMs);
  }
}
