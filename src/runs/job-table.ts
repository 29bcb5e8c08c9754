// The table of jobs: what a run writes while it goes on, and the history.

import type { Kysely } from 'kysely';
import { UsageError } from '../base/errors.js';
import type { Database, JobLineRow } from '../store/schema.js';
import { transact } from '../store/transact.js';
import { type Job, type JobStatus, jobFromRow, type Progress } from './job.js';
import { clockStepMs, firstJobSince, isNotDone } from './job-search.js';

export interface JobFilter {
  readonly ruleId?: number;
  /** Only those with this status, or one of these. */
  readonly status?: JobStatus | readonly JobStatus[];
  /** Only those that started at or after this. */
  readonly since?: Date;
  /** Only those that started before this. */
  readonly until?: Date;
  /** How many of the newest; default 20. */
  readonly limit?: number;
}

/** What went wrong with the runs of one rule. */
export interface Failure {
  /** How many runs failed, were ended at their timeout or lost. */
  readonly times: number;
  readonly last: Job;
}

export class Jobs {
  readonly #db: Kysely<Database>;
  readonly #workerId: string;

  constructor(db: Kysely<Database>, workerId: string) {
    this.#db = db;
    this.#workerId = workerId;
  }

  /** Keeps lines that a run logged, unless the run is no longer this worker's. */
  async addLines(job: Job, lines: ReadonlyArray<{ at: number; level: string; text: string }>): Promise<void> {
    if (!(await this.#isMine(job))) return;
    const rows = lines.map(({ at, level, text }) => ({ job_id: job.id, logged_at: at, level, text }));
    await transact(this.#db, async (tx) => {
      // Both databases take a bounded number of values in one statement.
      for (let i = 0; i < rows.length; i += 1000) {
        const some = rows.slice(i, i + 1000);
        await tx.insertInto('job_lines').values(some).execute();
      }
    });
  }

  /**
   * @returns false while a transaction of the run holds its job, which must not hold up the worker's
   * connection with it
   */
  async setProgress(job: Job, progress: Progress): Promise<boolean> {
    const updated = await this.#db
      .updateTable('jobs')
      .set({ progress: JSON.stringify(progress) })
      .where('id', '=', (eb) =>
        eb.selectFrom('jobs').select('id').where('id', '=', job.id).forNoKeyUpdate().skipLocked(),
      )
      .where('worker_id', '=', this.#workerId)
      .where('status', '=', 'running')
      .executeTakeFirst();
    return updated.numUpdatedRows > 0n || !(await this.#isMine(job));
  }

  async #isMine(job: Job): Promise<boolean> {
    const row = await this.#db
      .selectFrom('jobs')
      .select('id')
      .where('id', '=', job.id)
      .where('worker_id', '=', this.#workerId)
      .where('status', '=', 'running')
      .executeTakeFirst();
    return row !== undefined;
  }

  /** The newest jobs, the newest first. */
  async list({ ruleId, status, since, until, limit = 20 }: JobFilter = {}): Promise<Job[]> {
    let query = this.#db.selectFrom('jobs').selectAll();
    if (ruleId !== undefined) query = query.where('rule_id', '=', ruleId);
    if (status !== undefined) query = query.where('status', 'in', [status].flat());
    if (since !== undefined) query = query.where('start_datetime', '>=', since.getTime());
    if (until !== undefined) query = query.where('start_datetime', '<', until.getTime());
    return (await query.orderBy('id', 'desc').limit(limit).execute()).map(jobFromRow);
  }

  /** The runs that failed, were ended at their timeout or lost since then: a row for each rule, the newest first. */
  async failures(since: Date, limit = 1000): Promise<Failure[]> {
    const counted = this.#db
      .selectFrom('jobs')
      .select((eb) => [eb.fn.max('id').as('last'), eb.fn.countAll().as('times')])
      .where(isNotDone)
      .where('status', 'in', ['failed', 'timeout', 'lost'])
      .where('id', '>=', await firstJobSince(this.#db, since.getTime() - clockStepMs))
      .where('start_datetime', '>=', since.getTime())
      .groupBy('rule_id')
      .orderBy('last', 'desc')
      .limit(limit)
      .as('counted');
    const rows = await this.#db
      .selectFrom(counted)
      .innerJoin('jobs', 'jobs.id', 'counted.last')
      .selectAll('jobs')
      .select('counted.times')
      .orderBy('jobs.id', 'desc')
      .execute();
    return rows.map((row) => ({ times: Number(row.times), last: jobFromRow(row) }));
  }

  /** @throws UsageError (`LINOD_ERR_USAGE`) when there is no such job */
  async get(id: number): Promise<Job> {
    const row = await this.#db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw new UsageError(`no job ${id}; \`linod jobs\` lists the newest`);
    return jobFromRow(row);
  }

  /** What a run logged, in order. @param after only lines with a higher number. @param limit default: all */
  async lines(jobId: number, after = 0, limit?: number): Promise<JobLineRow[]> {
    const query = this.#db
      .selectFrom('job_lines')
      .selectAll()
      .where('job_id', '=', jobId)
      .where('id', '>', after)
      .orderBy('id');
    return await (limit === undefined ? query : query.limit(limit)).execute();
  }

  async running(): Promise<Job[]> {
    const rows = await this.#db
      .selectFrom('jobs')
      .selectAll()
      .where('status', '=', 'running')
      // Not by the number alone, in the order of which SQLite would read the whole history.
      .orderBy('start_datetime')
      .orderBy('id')
      .execute();
    return rows.map(jobFromRow);
  }
}
