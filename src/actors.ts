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
import type { JobRequest } from './tasks/requests.js';
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
  await noticeDead(registry, openTasks(context).ends, { judgeSilence: false });
  return await registry.living();
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

/** How often a waiting program looks. */
const lookMs = 100;

/**
 * Waits until the run that was requested has ended.
 *
 * @returns null when the request was withdrawn
 */
export async function jobOfRequest(context: ActorContext, request: number): Promise<Job | null> {
  const { db } = context.store;
  for (;;) {
    await lookAround(context);
    const row = await db.selectFrom('jobs').selectAll().where('request_id', '=', request).executeTakeFirst();
    if (row !== undefined && row.status !== 'running') return jobFromRow(row);
    const { outcome } = await db
      .selectFrom('job_requests')
      .select('outcome')
      .where('id', '=', request)
      .executeTakeFirstOrThrow();
    if (row === undefined && outcome !== null && outcome !== 'run') return null;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}
