// The table of jobs: claiming a due time or a request for one worker, ending a run, reading the history.

import type { Kysely } from 'kysely';
import type { Clock } from '../clock.js';
import { UsageError } from '../errors.js';
import type { Database, JobLineRow } from '../store/schema.js';
import { transact } from '../store/transact.js';
import { type Circumstances, type Decision, decide } from './decide.js';
import { type Job, type JobStatus, jobFromRow, type Progress } from './job.js';
import type { JobRule } from './rule.js';
import type { Rules } from './rules.js';

/** How a run ended. */
export interface Outcome {
  readonly status: Exclude<JobStatus, 'running' | 'lost'>;
  /** How, in words; the stack when it failed. */
  readonly message: string;
}

/** What came of looking at a rule that was due. */
export type Claim =
  | { readonly kind: 'claimed'; readonly job: Job; readonly rule: JobRule; readonly decision: Decision }
  | { readonly kind: 'skipped'; readonly rule: JobRule; readonly decision: Decision }
  /** Another worker was quicker, or somebody changed the rule meanwhile. */
  | { readonly kind: 'gone' };

/** A run or a cancellation that a person asked for and that nobody has taken up yet. */
export interface JobRequest {
  readonly id: number;
  readonly ruleId: number;
  readonly action: 'run' | 'cancel';
  readonly requestedAt: Date;
  readonly requestedBy: string;
}

export interface JobFilter {
  readonly ruleId?: number;
  readonly status?: JobStatus;
  /** How many of the newest; default 20. */
  readonly limit?: number;
}

/** Counting the due times that passed stops here: a rule of every second may have been off for a year. */
const maxCounted = 1000;

export class Jobs {
  readonly #db: Kysely<Database>;
  readonly #rules: Rules;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #workerId: string;

  constructor(db: Kysely<Database>, rules: Rules, clock: Pick<Clock, 'now'>, workerId: string) {
    this.#db = db;
    this.#rules = rules;
    this.#clock = clock;
    this.#workerId = workerId;
  }

  /**
   * The rules that are due, the longest waiting first.
   *
   * @param procedures only rules of these: during a deployment another worker may know some that this one does not
   */
  async due(procedures: readonly string[], limit: number): Promise<Array<{ id: number; dueAt: number }>> {
    const rows = await this.#db
      .selectFrom('job_rules')
      .select(['id', 'next_due_at'])
      .where('next_due_at', '<=', this.#clock.now())
      .where('procedure', 'in', procedures)
      .orderBy('next_due_at')
      .orderBy('seqno')
      .limit(limit)
      .execute();
    return rows.flatMap((row) => (row.next_due_at === null ? [] : [{ id: row.id, dueAt: row.next_due_at }]));
  }

  /** When the next rule of one of these procedures is due. */
  async nextDue(procedures: readonly string[]): Promise<number | null> {
    const row = await this.#db
      .selectFrom('job_rules')
      .select('next_due_at')
      .where('next_due_at', 'is not', null)
      .where('procedure', 'in', procedures)
      .orderBy('next_due_at')
      .limit(1)
      .executeTakeFirst();
    return row?.next_due_at ?? null;
  }

  /**
   * Decides about a rule that is due at `dueAt`: in one transaction the decision, the job, and the rule's next due
   * time. Two workers never claim the same due time.
   */
  async claimDue(ruleId: number, dueAt: number, circumstances: Omit<Circumstances, 'now'>): Promise<Claim> {
    return await transact(this.#db, async (tx): Promise<Claim> => {
      const rule = await this.#rules.lock(ruleId, tx);
      if (rule.nextDueAt?.getTime() !== dueAt) {
        await this.#noteIfTaken(tx, ruleId, dueAt);
        return { kind: 'gone' };
      }
      const now = this.#clock.now();
      const running = (await this.#running(tx, ruleId)) ?? circumstances.running;
      const decision = decide(dueAt, { ...circumstances, now, running });
      await this.#moveOn(tx, rule, dueAt, now);
      // Only a clock that was set back makes a rule due at a time for which it has run.
      if (await this.#noteIfTaken(tx, ruleId, dueAt)) return { kind: 'gone' };
      await this.#rules.note(ruleId, dueAt, decision.reason, decision.detail, tx);
      if (decision.action === 'skip') return { kind: 'skipped', rule, decision };
      return {
        kind: 'claimed',
        job: await this.#insert(tx, rule, { dueAt, requestId: null }),
        rule,
        decision,
      };
    });
  }

  /**
   * Writes down that a person wants a run now, or the end of the run that goes on.
   *
   * @throws UsageError (`LINOD_ERR_USAGE`) when there is no such rule, or its procedure is gone
   */
  async request(ruleId: number, action: JobRequest['action'], by: string): Promise<number> {
    const rule = await this.#rules.get(ruleId);
    if (action === 'run' && rule.removedAt !== null) {
      throw new UsageError(`job rule ${ruleId} cannot run: no procedure ${rule.procedure} is registered`);
    }
    const { id } = await this.#db
      .insertInto('job_requests')
      .values({ rule_id: ruleId, action, requested_at: this.#clock.now(), requested_by: by })
      .returning('id')
      .executeTakeFirstOrThrow();
    return id;
  }

  /**
   * Requests that can be taken up, the oldest first: all for the end of a run, and those for a run of a rule of one of
   * these procedures that does not run at the moment.
   */
  async openRequests(procedures: readonly string[]): Promise<JobRequest[]> {
    const rows = await this.#db
      .selectFrom('job_requests')
      .innerJoin('job_rules', 'job_rules.id', 'job_requests.rule_id')
      .leftJoin('jobs', (join) =>
        join.onRef('jobs.rule_id', '=', 'job_rules.id').on('jobs.status', '=', 'running'),
      )
      .selectAll('job_requests')
      .where('job_requests.handled_at', 'is', null)
      .where('job_rules.procedure', 'in', procedures)
      .where((eb) => eb.or([eb('job_requests.action', '=', 'cancel'), eb('jobs.id', 'is', null)]))
      .orderBy('job_requests.id')
      .limit(100)
      .execute();
    return rows.map((row) => ({
      id: row.id,
      ruleId: row.rule_id,
      action: row.action === 'cancel' ? 'cancel' : 'run',
      requestedAt: new Date(row.requested_at),
      requestedBy: row.requested_by,
    }));
  }

  /** Takes up the request for a run. One of a rule whose run still goes on stays open until that has ended. */
  async claimRequest(request: JobRequest): Promise<Claim> {
    return await transact(this.#db, async (tx): Promise<Claim> => {
      const rule = await this.#rules.lock(request.ruleId, tx);
      if ((await this.#running(tx, rule.id)) !== null) return { kind: 'gone' };
      if (!(await this.#handle(tx, request.id, 'run'))) return { kind: 'gone' };
      const detail = `by ${request.requestedBy}, request ${request.id}`;
      const decision = { action: 'start', reason: 'requested', detail } as const;
      await this.#rules.note(rule.id, null, 'requested', detail, tx);
      const job = await this.#insert(tx, rule, { dueAt: null, requestId: request.id });
      return { kind: 'claimed', job, rule, decision };
    });
  }

  /**
   * Marks the request for the end of a run as done with, and those for runs of that rule that came before it as
   * withdrawn.
   *
   * @returns false if somebody else did before
   */
  async handleCancel(request: JobRequest, outcome: string): Promise<boolean> {
    return await transact(this.#db, async (tx) => {
      await this.#rules.lock(request.ruleId, tx);
      await tx
        .updateTable('job_requests')
        .set({ handled_at: this.#clock.now(), outcome: `withdrawn by ${request.requestedBy}` })
        .where('rule_id', '=', request.ruleId)
        .where('action', '=', 'run')
        .where('id', '<', request.id)
        .where('handled_at', 'is', null)
        .execute();
      return await this.#handle(tx, request.id, outcome);
    });
  }

  /**
   * Writes how a run ended, and cancels its rule if it failed and is to be cancelled by that.
   *
   * @returns false when the run was no longer this worker's: it had been given up as lost. Nothing is written then.
   */
  async finish(job: Job, rule: JobRule, outcome: Outcome): Promise<boolean> {
    return await transact(this.#db, async (tx) => {
      const updated = await tx
        .updateTable('jobs')
        .set({ status: outcome.status, message: outcome.message, end_datetime: this.#clock.now() })
        .where('id', '=', job.id)
        .where('worker_id', '=', this.#workerId)
        .where('status', '=', 'running')
        .executeTakeFirst();
      if (updated.numUpdatedRows === 0n) return await this.#hasEnded(tx, job, outcome);
      if (outcome.status !== 'failed' && outcome.status !== 'timeout') return true;
      const current = await this.#rules.lock(rule.id, tx);
      if (current.policies.onFailure === 'cancel' && current.active) {
        const headline = outcome.message.split('\n', 1)[0] ?? '';
        await this.#rules.cancelFailed(tx, rule.id, `${headline} (job ${job.id})`);
      }
      return true;
    });
  }

  /** Keeps lines that a run logged, unless the run is no longer this worker's. */
  async addLines(job: Job, lines: ReadonlyArray<{ at: number; level: string; text: string }>): Promise<void> {
    await transact(this.#db, async (tx) => {
      const mine = await tx
        .selectFrom('jobs')
        .select('id')
        .where('id', '=', job.id)
        .where('worker_id', '=', this.#workerId)
        .where('status', '=', 'running')
        // It must not be given up before the lines are there.
        .forNoKeyUpdate()
        .executeTakeFirst();
      if (mine === undefined) return;
      const rows = lines.map((line) => ({
        job_id: job.id,
        logged_at: line.at,
        level: line.level,
        text: line.text,
      }));
      // Both databases take a bounded number of values in one statement.
      for (let i = 0; i < rows.length; i += 1000) {
        await tx
          .insertInto('job_lines')
          .values(rows.slice(i, i + 1000))
          .execute();
      }
    });
  }

  async setProgress(job: Job, progress: Progress): Promise<void> {
    await this.#db
      .updateTable('jobs')
      .set({ progress: JSON.stringify(progress) })
      .where('id', '=', job.id)
      .where('worker_id', '=', this.#workerId)
      .where('status', '=', 'running')
      .execute();
  }

  /** Marks the runs of workers that have stopped or died as lost; their rules go on at their next time. */
  async giveUpLost(): Promise<Job[]> {
    // Looking needs no lock, and there is seldom anything to do.
    if ((await orphansIn(this.#db)).length === 0) return [];
    return await transact(this.#db, async (tx) => {
      const orphans = await orphansIn(tx);
      const lost: Job[] = [];
      for (const orphan of orphans) {
        const why = `worker ${orphan.worker_id} ended meanwhile: ${orphan.stop_reason ?? 'nothing is known of it'}`;
        const row = await tx
          .updateTable('jobs')
          .set({ status: 'lost', message: `lost: ${why}`, end_datetime: this.#clock.now() })
          .where('id', '=', orphan.id)
          .where('status', '=', 'running')
          .returningAll()
          .executeTakeFirst();
        // It has ended, or another worker has given it up, since it was read.
        if (row === undefined) continue;
        await this.#rules.note(row.rule_id, row.due_at, 'lost', `job ${row.id}: ${why}`, tx);
        lost.push(jobFromRow(row));
      }
      return lost;
    });
  }

  /** The newest jobs, the newest first. */
  async list(filter: JobFilter = {}): Promise<Job[]> {
    const rows = await this.#db
      .selectFrom('jobs')
      .selectAll()
      .$if(filter.ruleId !== undefined, (query) => query.where('rule_id', '=', filter.ruleId ?? 0))
      .$if(filter.status !== undefined, (query) => query.where('status', '=', filter.status ?? ''))
      .orderBy('id', 'desc')
      .limit(filter.limit ?? 20)
      .execute();
    return rows.map(jobFromRow);
  }

  /** @throws UsageError (`LINOD_ERR_USAGE`) when there is no such job */
  async get(id: number): Promise<Job> {
    const row = await this.#db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw new UsageError(`no job ${id}; \`linod jobs\` lists the newest`);
    return jobFromRow(row);
  }

  /** What a run logged, in order. */
  async lines(jobId: number): Promise<JobLineRow[]> {
    return await this.#db
      .selectFrom('job_lines')
      .selectAll()
      .where('job_id', '=', jobId)
      .orderBy('id')
      .execute();
  }

  async running(): Promise<Job[]> {
    return (
      await this.#db.selectFrom('jobs').selectAll().where('status', '=', 'running').orderBy('id').execute()
    ).map(jobFromRow);
  }

  /**
   * Runs of this worker that it has not begun: their claim was written, but the word of it was lost with the
   * connection to the database. They are to be run now, for nobody else will.
   *
   * @param known the jobs that it has begun
   */
  async unbegun(known: readonly number[]): Promise<Array<Claim & { kind: 'claimed'; user: string | null }>> {
    const rows = await this.#db
      .selectFrom('jobs')
      .leftJoin('job_requests', 'job_requests.id', 'jobs.request_id')
      .selectAll('jobs')
      .select('job_requests.requested_by')
      .where('jobs.worker_id', '=', this.#workerId)
      .where('jobs.status', '=', 'running')
      .where('jobs.id', 'not in', known)
      .orderBy('jobs.id')
      .execute();
    return await Promise.all(
      rows.map(async (row) => ({
        kind: 'claimed' as const,
        job: jobFromRow(row),
        rule: await this.#rules.get(row.rule_id),
        decision: { action: 'start', reason: 'started', detail: '' } as const,
        user: row.requested_by,
      })),
    );
  }

  /** Whether the end was written before, and only the word of it lost with the connection to the database. */
  async #hasEnded(tx: Kysely<Database>, job: Job, { status, message }: Outcome): Promise<boolean> {
    const row = await tx
      .selectFrom('jobs')
      .select(['worker_id', 'status', 'message'])
      .where('id', '=', job.id)
      .executeTakeFirst();
    return row?.worker_id === this.#workerId && row.status === status && row.message === message;
  }

  async #running(tx: Kysely<Database>, ruleId: number): Promise<Circumstances['running']> {
    const row = await tx
      .selectFrom('jobs')
      .select(['id', 'start_datetime'])
      .where('rule_id', '=', ruleId)
      .where('status', '=', 'running')
      .executeTakeFirst();
    return row === undefined ? null : { jobId: row.id, since: row.start_datetime };
  }

  /** The rule's next due time lies after now: what passed in between is dropped, and the ledger says how much. */
  async #moveOn(tx: Kysely<Database>, rule: JobRule, dueAt: number, now: number): Promise<void> {
    let next = rule.dueAfter(new Date(dueAt));
    let dropped = 0;
    while (next !== null && next.getTime() <= now && dropped < maxCounted) {
      dropped++;
      next = rule.dueAfter(next);
    }
    if (next !== null && next.getTime() <= now) next = rule.dueAfter(new Date(now));
    await tx
      .updateTable('job_rules')
      .set({ next_due_at: next === null ? null : next.getTime() })
      .where('id', '=', rule.id)
      .execute();
    if (dropped === 0) return;
    const count = dropped === maxCounted ? `${maxCounted} or more` : String(dropped);
    await this.#rules.note(rule.id, dueAt, 'dropped', `${count} further due times passed meanwhile`, tx);
  }

  async #noteIfTaken(tx: Kysely<Database>, ruleId: number, dueAt: number): Promise<boolean> {
    const taken = await tx
      .selectFrom('jobs')
      .select(['id', 'worker_id'])
      .where('rule_id', '=', ruleId)
      .where('due_at', '=', dueAt)
      .executeTakeFirst();
    if (taken === undefined) return false;
    await this.#rules.note(ruleId, dueAt, 'taken', `job ${taken.id} of worker ${taken.worker_id}`, tx);
    return true;
  }

  async #handle(db: Kysely<Database>, id: number, outcome: string): Promise<boolean> {
    const updated = await db
      .updateTable('job_requests')
      .set({ handled_at: this.#clock.now(), outcome })
      .where('id', '=', id)
      .where('handled_at', 'is', null)
      .executeTakeFirst();
    return updated.numUpdatedRows > 0n;
  }

  async #insert(
    tx: Kysely<Database>,
    rule: JobRule,
    cause: { dueAt: number | null; requestId: number | null },
  ): Promise<Job> {
    const row = await tx
      .insertInto('jobs')
      .values({
        rule_id: rule.id,
        procedure: rule.procedure,
        due_at: cause.dueAt,
        request_id: cause.requestId,
        start_datetime: this.#clock.now(),
        status: 'running',
        message: '',
        worker_id: this.#workerId,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    return jobFromRow(row);
  }
}

/** Running jobs whose worker is not among the living. */
async function orphansIn(
  db: Kysely<Database>,
): Promise<Array<{ id: number; worker_id: string; stop_reason: string | null }>> {
  return await db
    .selectFrom('jobs')
    .leftJoin('workers', 'workers.id', 'jobs.worker_id')
    .select(['jobs.id', 'jobs.worker_id', 'workers.stop_reason'])
    .where('jobs.status', '=', 'running')
    .where((eb) => eb.or([eb('workers.id', 'is', null), eb('workers.stopped_at', 'is not', null)]))
    .orderBy('jobs.id')
    .execute();
}
