// The tables that a person sees, and what can be done there, as the original names them.

import type { ChannelLayer } from '../../channels/index.js';
import { ownerState } from '../base/process-owner.js';
import { databaseClock } from '../membership/database-clock.js';
import { WorkerRegistry } from '../membership/worker-registry.js';
import { findRule } from '../rules/find-rule.js';
import type { Procedure } from '../rules/procedure.js';
import type { JobRule } from '../rules/rule.js';
import type { SyncReport } from '../rules/site-rules.js';
import type { Job } from '../runs/job.js';
import type { JobFilter } from '../runs/job-table.js';
import type { Site } from '../site/site.js';
import type { WorkerRow } from '../store/schema.js';
import type { Store } from '../store/store.js';
import { createTasks, type SiteTasks } from './site-tasks.js';

/** Whose tables: a site with its open database. */
export interface ActorContext {
  readonly site: Site;
  readonly store: Store;
  /** Who acts, for the ledger. */
  readonly user?: string;
  /**
   * The site's channel layer, for a program that has it open; without it one is opened whenever workers are
   * to be woken.
   */
  readonly layer?: ChannelLayer;
}

/**
 * The rules and the jobs of a site, for reading and changing them from outside a worker; by the database's
 * clock.
 */
export async function openTasks({ site, store, user = 'somebody' }: ActorContext): Promise<SiteTasks> {
  return createTasks({ site, store, clock: await databaseClock(store), workerId: user });
}

/**
 * Marks workers whose process is gone, and what they ran as lost, so that what is shown next is true.
 *
 * @returns the workers that live
 */
export async function lookAround(context: ActorContext): Promise<WorkerRow[]> {
  const { ends, outside, rules } = await openTasks(context);
  const registry = new WorkerRegistry(context.store.db, rules.clock);
  // Who may only read leaves no mark on what is gone, and passes it over.
  if (context.store.isReadOnly) return (await registry.living()).filter((worker) => !isGone(worker));
  await registry.markDead({ judgeSilence: false });
  await ends.giveUpLost();
  const living = await registry.living();
  // A worker takes over by itself what was changed in the database.
  if (living.length === 0) await outside.adoptAll();
  return living;
}

function isGone({ host, pid, pid_start: start }: WorkerRow): boolean {
  return ownerState({ host, pid, start }) === 'dead';
}

/** Who heard of what was written down. */
export interface Woken {
  /** Whether a worker lives. */
  readonly isWorking: boolean;
  /** Why the workers could not be woken; they poll within 5 s. Null when they were woken, or none runs. */
  readonly unwoken: string | null;
}

/**
 * Wakes the task coroutines of all workers. What is written already stands, so this never fails because of
 * the layer.
 */
export async function tellWorkers(context: ActorContext): Promise<Woken> {
  // First of all, since who asks for a run waits for it.
  const unwoken = await wakeWorkers(context, 'rules.changed');
  const isWorking = (await lookAround(context)).length > 0;
  return { isWorking, unwoken: isWorking ? unwoken : null };
}

/** @returns why they could not be woken; null when they were */
export async function wakeWorkers(
  { site, store, layer }: ActorContext,
  type: 'rules.changed' | 'workers.changed',
): Promise<string | null> {
  try {
    const own = layer ?? (await site.openLayer());
    try {
      await own.groupSend(site.workersGroup, { type });
    } finally {
      if (own !== layer) await own.close();
    }
    return null;
  } catch (error) {
    // The database has notified them of changed rules.
    if (store.follow !== null && type === 'rules.changed') return null;
    return error instanceof Error ? error.message : String(error);
  }
}

/** All job rules in their order. */
export const JobRules = {
  async rows(context: ActorContext, options: { removed?: boolean } = {}): Promise<JobRule[]> {
    return await (await openTasks(context)).rules.list(options);
  },
};

/** The newest jobs, the newest first. */
export const Jobs = {
  async rows(context: ActorContext, filter: JobFilter = {}): Promise<Job[]> {
    return await (await openTasks(context)).jobs.list(filter);
  },
};

/** The newest jobs of one rule, by its number, its name, or the name of its procedure. */
export const JobsByRule = {
  async rows(context: ActorContext, rule: number | string, limit = 20): Promise<Job[]> {
    const ruleId = await findRule(context.store.db, rule);
    return await (await openTasks(context)).jobs.list({ ruleId, limit });
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
  async run(
    context: ActorContext,
    procedures: Iterable<Procedure>,
    options: { readonly isComplete?: boolean } = {},
  ): Promise<SyncReport> {
    // A worker that was killed has no procedures any more.
    await lookAround(context);
    return await (await openTasks(context)).rules.sync(procedures, options);
  },
};
