// Asking for runs and for their ends, and waiting for what becomes of it.

import { setTimeout as sleep } from 'node:timers/promises';
import { UsageError } from '../base/errors.js';
import type { RequestOptions } from '../rules/base-request.js';
import type { AddRequestOptions } from '../runs/add-request.js';
import { type Job, jobFromRow } from '../runs/job.js';
import { type JobRequest, mergedWith, nothingRan } from '../scheduler/requests.js';
import { type ActorContext, lookAround, openTasks, tellWorkers, type Woken } from './tables.js';

/** A request that was written down, and who heard of it. */
export interface Asked extends Woken {
  /** Its number. */
  readonly request: number;
}

/** The action that runs one rule at once, or ends its run. */
export const RunJob = {
  /**
   * Writes the request down and wakes the workers, of which one takes it up.
   *
   * @param rule its number, its name, or the name of its procedure, where that has one rule only
   * @param options `args` are given to the run as `ar.args`
   * @throws UnknownRuleError (`LINOD_ERR_UNKNOWN_RULE`), AmbiguousRuleError (`LINOD_ERR_AMBIGUOUS_RULE`);
   * UsageError
   *   (`LINOD_ERR_USAGE`) when its procedure is gone, or the arguments are no JSON
   * @example
   * const { request } = await RunJob.request({ site, store, user: 'ada' }, 'nightly_report');
   * const job = await RunJob.ended({ site, store }, request);
   */
  async request(context: ActorContext, rule: number | string, options: RequestOptions = {}): Promise<Asked> {
    return await ask(context, rule, 'run', options);
  },

  /**
   * Asks for another run of the rule of a job, with the same arguments.
   *
   * @throws UsageError (`LINOD_ERR_USAGE`) when there is no such job, or its procedure is gone
   */
  async again(context: ActorContext, jobId: number): Promise<Asked> {
    const { ruleId } = await (await openTasks(context)).jobs.get(jobId);
    const { args } = await context.store.db
      .selectFrom('jobs')
      .select('args')
      .where('id', '=', jobId)
      .executeTakeFirstOrThrow();
    return await ask(context, ruleId, 'run', { argsJson: args });
  },

  /**
   * Asks for the end of the runs of a rule that go on, and takes back requests that wait.
   *
   * @param rule as in {@link RunJob.request}
   * @throws UnknownRuleError (`LINOD_ERR_UNKNOWN_RULE`), AmbiguousRuleError (`LINOD_ERR_AMBIGUOUS_RULE`)
   */
  async stop(context: ActorContext, rule: number | string): Promise<Asked> {
    const asked = await ask(context, rule, 'cancel');
    if (asked.isWorking) return asked;
    // Nothing runs then. Kept for a worker, it would surprise who asks for a run meanwhile.
    const { requests } = await openTasks(context);
    const open = (await requests.cancellations()).find(({ id }) => id === asked.request);
    if (open !== undefined) await requests.handleCancel(open, nothingRan);
    return asked;
  },

  /**
   * Waits until the run that was requested has ended, with its further attempts, or that of a request that
   * stands for it; without a worker for ever.
   *
   * @returns the job of the last attempt; null when the request was withdrawn, or skipped, or its job is so
   * old that it was deleted
   * @throws the signal's reason when it is aborted before
   */
  async ended(
    context: ActorContext,
    request: number,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<Job | null> {
    for (;;) {
      signal?.throwIfAborted();
      await lookAround(context);
      const { job, isOver } = await requestState(context, request);
      if (isOver) return job;
      await sleep(lookMs);
    }
  },
};

async function ask(
  context: ActorContext,
  rule: number | string,
  action: JobRequest['action'],
  options?: AddRequestOptions,
): Promise<Asked> {
  const { requests } = await openTasks(context);
  const request = await requests.add(rule, action, context.user ?? 'somebody', options);
  return { request, ...(await tellWorkers(context)) };
}

/** The action that ends one run, on whichever worker it goes on. */
export const CancelJob = {
  /**
   * Writes the request down and wakes the workers; the one that runs the job takes it up.
   *
   * @returns null when the job had ended before
   * @throws UsageError (`LINOD_ERR_USAGE`) when there is no such job
   */
  async request(context: ActorContext, jobId: number): Promise<Asked | null> {
    const { requests, jobs } = await openTasks(context);
    try {
      const request = await requests.addCancel(jobId, context.user ?? 'somebody');
      return { request, ...(await tellWorkers(context)) };
    } catch (error) {
      if ((await jobs.get(jobId)).status !== 'running') return null;
      throw error;
    }
  },
};

/** How often a waiting program polls. */
const lookMs = 100;

/** Waits until a job has ended, at most so long. @returns the job as it is then */
export async function endOfJob(context: ActorContext, jobId: number, timeoutMs: number): Promise<Job> {
  const { jobs } = await openTasks(context);
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    await lookAround(context);
    const job = await jobs.get(jobId);
    if (job.status !== 'running' || performance.now() >= giveUpAt) return job;
    await sleep(lookMs);
  }
}

/**
 * What became of a request for a run so far, or of the one that stands for it. It is over when no further
 * attempt follows; the job is that of the last one that has begun.
 *
 * @throws UsageError (`LINOD_ERR_UNKNOWN_REQUEST`) when there is no such request for a run, or not any more
 */
export async function requestState(
  context: Pick<ActorContext, 'store'>,
  request: number,
): Promise<RequestFate & { readonly isOver: boolean }> {
  let last: Job | null = null;
  for (let asked = request; ; ) {
    const { outcome, job } = await fateNow(context, asked);
    const merged = job === null && outcome !== null ? mergedWith(outcome) : null;
    const next = job === null || job.status === 'running' ? merged : await nextAttempt(context, asked, job);
    if (next === null) {
      // Of one that ran and has no job, that was deleted, as only one that has ended is.
      const isOver = job === null ? outcome !== null : job.status !== 'running';
      return { outcome: last === null ? outcome : (outcome ?? 'run'), job: job ?? last, isOver };
    }
    last = job ?? last;
    asked = next;
  }
}

/** The request for the attempt after a run that was asked for, if there is one. */
async function nextAttempt(
  { store: { db } }: Pick<ActorContext, 'store'>,
  asked: number,
  { id, attempt }: Job,
): Promise<number | null> {
  const row = await db
    .selectFrom('job_requests')
    .select('id')
    .where('id', '>', asked)
    .where('action', '=', 'run')
    .where('of_job', '=', id)
    .where('attempt', '=', attempt + 1)
    .executeTakeFirst();
  return row?.id ?? null;
}

/** What became of a request for a run. */
export interface RequestFate {
  /** In words, as the worker that took it up wrote it, `run` when it runs; null while nobody has. */
  readonly outcome: string | null;
  readonly job: Job | null;
}

/** Waits until a worker has taken a request up or refused it, at most so long. */
export async function fateOfRequest(
  context: ActorContext,
  request: number,
  timeoutMs: number,
  action: JobRequest['action'] = 'run',
): Promise<RequestFate> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    const fate = await fateNow(context, request, action);
    if (fate.outcome !== null || performance.now() >= giveUpAt) return fate;
    await sleep(lookMs);
  }
}

/** The outcome first: who wrote that it runs has written the job with it. */
async function fateNow(
  { store: { db } }: Pick<ActorContext, 'store'>,
  request: number,
  action: JobRequest['action'] = 'run',
): Promise<RequestFate> {
  const asked = await db
    .selectFrom('job_requests')
    .select('outcome')
    .where('id', '=', request)
    .where('action', '=', action)
    .executeTakeFirst();
  if (asked === undefined)
    throw new UsageError(`there is no request ${request} for a run`, 'LINOD_ERR_UNKNOWN_REQUEST');
  const row = await db.selectFrom('jobs').selectAll().where('request_id', '=', request).executeTakeFirst();
  return { outcome: asked.outcome, job: row === undefined ? null : jobFromRow(row) };
}
