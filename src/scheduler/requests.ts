// Requests: a run now or later, a further attempt, the end of a run. They are rows, so that none is lost.

import { UsageError } from '../base/errors.js';
import type { Rules } from '../rules/site-rules.js';
import { type AddRequestOptions, addRequest } from '../runs/add-request.js';
import { transact } from '../store/transact.js';

/** A request that no worker has handled yet. */
export interface JobRequest {
  readonly id: number;
  readonly ruleId: number;
  readonly action: 'run' | 'cancel';
  readonly requestedBy: string;
  /** When it was made and when it may start, in ms since 1970. */
  readonly requestedAt: number;
  readonly runAt: number;
  /** Which attempt the run is. */
  readonly attempt: number;
  /** JSON for the run. */
  readonly args: string | null;
  readonly checkpoint: string | null;
  /** The job to try again or to cancel; null for a person's request for a run. */
  readonly ofJob: number | null;
  /** 1 for a run that logs at DEBUG. */
  readonly debug: number;
  /** Where it belongs in a trace; see tracing/runs.ts. */
  readonly traceContext: string | null;
}

/** A request for a run that may start now. */
interface OpenRequest extends JobRequest {
  readonly procedure: string;
}

/** The columns of a {@link JobRequest}. */
const requestColumns = [
  'job_requests.id',
  'job_requests.rule_id as ruleId',
  'job_requests.action',
  'job_requests.requested_by as requestedBy',
  'job_requests.requested_at as requestedAt',
  'job_requests.run_at as runAt',
  'job_requests.attempt',
  'job_requests.args',
  'job_requests.checkpoint',
  'job_requests.of_job as ofJob',
  'job_requests.debug',
  'job_requests.trace_context as traceContext',
] as const;

/** The table of requests. */
export class Requests {
  readonly #rules: Rules;

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** See {@link addRequest}. */
  async add(
    asked: number | string,
    action: JobRequest['action'],
    by: string,
    options?: AddRequestOptions,
  ): Promise<number> {
    return await addRequest(this.#rules, asked, action, by, options);
  }

  /**
   * Adds a request to end one run.
   *
   * @throws UsageError (`LINOD_ERR_USAGE`) when there is no such job, or it has ended
   */
  async addCancel(jobId: number, by: string): Promise<number> {
    const job = await this.#rules.db
      .selectFrom('jobs')
      .select(['rule_id', 'status'])
      .where('id', '=', jobId)
      .executeTakeFirst();
    if (job === undefined) throw new UsageError(`no job ${jobId}; \`linod jobs\` lists the newest`);
    if (job.status !== 'running') throw new UsageError(`job ${jobId} has ended: it is ${job.status}`);
    const { id } = await this.#rules.db
      .insertInto('job_requests')
      .values({
        rule_id: job.rule_id,
        action: 'cancel',
        requested_at: this.#rules.clock.now(),
        requested_by: by,
        of_job: jobId,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    return id;
  }

  /** Open requests to end runs, the oldest first. */
  async cancellations(): Promise<JobRequest[]> {
    return await this.#rules.db
      .selectFrom('job_requests')
      .select(requestColumns)
      .where('action', '=', 'cancel')
      .where('handled_at', 'is', null)
      .orderBy('id')
      .limit(100)
      .$castTo<JobRequest>()
      .execute();
  }

  /**
   * Requests for runs that may start now: the highest priority first, then the oldest.
   *
   * @param offset the number of requests to skip
   */
  async open(limit: number, offset = 0): Promise<OpenRequest[]> {
    return await this.#rules.db
      .selectFrom('job_requests')
      .innerJoin('job_rules', 'job_rules.id', 'job_requests.rule_id')
      .select(requestColumns)
      .select('job_rules.procedure')
      .where('job_requests.action', '=', 'run')
      .where('job_requests.handled_at', 'is', null)
      .where('job_requests.run_at', '<=', this.#rules.clock.now())
      .orderBy('job_requests.priority', 'desc')
      .orderBy('job_requests.id')
      .limit(limit)
      .offset(offset)
      .$castTo<OpenRequest>()
      .execute();
  }

  /**
   * Marks a request to end runs as handled. If it names no job, it also withdraws the earlier requests for
   * runs of that rule, and records them in the ledger.
   *
   * @returns false if another worker handled it before
   */
  async handleCancel(request: JobRequest, outcome: string): Promise<boolean> {
    return await transact(this.#rules.db, async (tx) => {
      // Only the id, because the run of a deleted or invalid rule must end, too.
      const rule = await tx
        .selectFrom('job_rules')
        .select('id')
        .where('id', '=', request.ruleId)
        .forNoKeyUpdate()
        .executeTakeFirst();
      if (request.ofJob === null) {
        const outcome = `withdrawn by ${request.requestedBy}`;
        const withdrawn = await tx
          .updateTable('job_requests')
          .set({ handled_at: this.#rules.clock.now(), outcome })
          .where('rule_id', '=', request.ruleId)
          .where('action', '=', 'run')
          .where('id', '<', request.id)
          .where('handled_at', 'is', null)
          .returning(['id', 'attempt', 'requested_by'])
          .execute();
        for (const { id, attempt, requested_by } of rule === undefined ? [] : withdrawn) {
          const what = attempt > 1 ? `attempt ${attempt}, after ${requested_by}` : `request ${id}`;
          await this.#rules.note(request.ruleId, 'skipped', `${what}: ${outcome}`, tx);
        }
      }
      const updated = await tx
        .updateTable('job_requests')
        .set({ handled_at: this.#rules.clock.now(), outcome })
        .where('id', '=', request.id)
        .where('handled_at', 'is', null)
        .executeTakeFirst();
      return updated.numUpdatedRows > 0n;
    });
  }
}

/** The outcome of a request to end runs when there are none. */
export const nothingRan = 'nothing was running';

/** Whether an outcome means that there is no run. */
export function isRefusal(outcome: string): boolean {
  return /^(skipped|withdrawn)\b/.test(outcome);
}

/** The outcome of a request that was merged into an earlier one, which waits for a run. */
export function mergedOutcome(request: number, run: string): string {
  return `one with request ${request}, which waits for ${run}`;
}

/** Parses {@link mergedOutcome}. @returns the earlier request; null for any other outcome */
export function mergedWith(outcome: string): number | null {
  const [, request] = /^one with request (\d+),/.exec(outcome) ?? [];
  return request === undefined ? null : Number(request);
}
