// What was asked for: a run now or later, a further attempt, the end of a run. All of it is rows, so that none is lost.

import type { Kysely, RawBuilder, Selectable } from 'kysely';
import type { Clock } from '../clock.js';
import { UsageError } from '../errors.js';
import { sql } from '../store/kysely.js';
import { limitOf, PreparedQuery } from '../store/prepared.js';
import type { Database, JobRequestTable } from '../store/schema.js';
import { transact } from '../store/transact.js';
import { type Blocked, isNothing } from './blocked.js';
import { jsonText } from './job.js';
import { findRule } from './rule-named.js';
import type { Rules } from './rules.js';

/** A run or the end of one that was asked for and that nobody has taken up yet. */
export interface JobRequest {
  readonly id: number;
  readonly ruleId: number;
  readonly action: 'run' | 'cancel';
  readonly requestedBy: string;
  /** Which attempt the run is. */
  readonly attempt: number;
  /** JSON for the run. */
  readonly args: string | null;
  readonly checkpoint: string | null;
  /** The job of which this is a further attempt, or that is to be ended; null for a person's request for a run. */
  readonly ofJob: number | null;
}

/** A request for a run that can be taken up. */
export interface OpenRequest extends JobRequest {
  readonly procedure: string;
}

/** What may be said with a request for a run. */
export interface RequestOptions {
  /** Given to the run as `ar.args`. */
  readonly args?: unknown;
  /** Not before; default: at once. */
  readonly runAt?: Date;
  /** Default: that of the rule. */
  readonly priority?: number;
}

/** What is read of a request; the rest is for people. */
const requestColumns = [
  'job_requests.id',
  'job_requests.rule_id',
  'job_requests.action',
  'job_requests.requested_by',
  'job_requests.attempt',
  'job_requests.args',
  'job_requests.checkpoint',
  'job_requests.of_job',
] as const;

const cancellations = new PreparedQuery<Record<string, never>, RequestRow>((db) =>
  db
    .selectFrom('job_requests')
    .select(requestColumns)
    .where('action', '=', sql.lit('cancel'))
    .where('handled_at', 'is', null)
    .orderBy('id')
    .limit(sql.lit(100)),
);

const openRequests = new PreparedQuery<{ now: number; limit: number }, OpenRow>((db, value) =>
  openQuery(db, value('now')).limit(limitOf(value('limit'))),
);

/** Those for ends first; they have no time to wait for, and are done with although their rule has been deleted. */
const askedRequests = new PreparedQuery<
  { now: number; limit: number },
  RequestRow & { procedure: string | null }
>((db, value) =>
  db
    .selectFrom('job_requests')
    .leftJoin('job_rules', 'job_rules.id', 'job_requests.rule_id')
    .select(requestColumns)
    .select('job_rules.procedure')
    .where('job_requests.handled_at', 'is', null)
    .where('job_requests.run_at', '<=', value('now'))
    .where((eb) =>
      eb.or([eb('job_rules.id', 'is not', null), eb('job_requests.action', '=', sql.lit('cancel'))]),
    )
    .orderBy('job_requests.action')
    .orderBy('job_requests.priority', 'desc')
    .orderBy('job_requests.id')
    .limit(limitOf(value('limit'))),
);

/** With what the rule says of its runs. Of a rule whose procedure is gone only the end of a run can be asked for. */
const insertRequest = new PreparedQuery<NewRequest, { id: number }>(
  (_, value) => sql`
    insert into job_requests (rule_id, action, requested_at, requested_by, args, run_at, priority, job_group)
    select id, cast(${value('action')} as text), cast(${value('requested_at')} as bigint), ${value('requested_by')},
      ${value('args')}, cast(${value('run_at')} as bigint), coalesce(cast(${value('priority')} as bigint), due_priority), due_group
    from job_rules
    where id = ${value('rule_id')} and (removed_at is null or cast(${value('action')} as text) = 'cancel')
    returning id
  `,
);

type NewRequest = Pick<
  Selectable<JobRequestTable>,
  'rule_id' | 'action' | 'requested_at' | 'requested_by' | 'args' | 'run_at'
> & {
  /** Null for that of the rule. */
  readonly priority: number | null;
};
type RequestRow = Pick<
  Selectable<JobRequestTable>,
  'id' | 'rule_id' | 'action' | 'requested_by' | 'attempt' | 'args' | 'checkpoint' | 'of_job'
>;
type OpenRow = RequestRow & { procedure: string };

/** Requests for runs, as a worker takes them up. */
function openQuery(db: Kysely<Database>, now: RawBuilder<number>) {
  return db
    .selectFrom('job_requests')
    .innerJoin('job_rules', 'job_rules.id', 'job_requests.rule_id')
    .select(requestColumns)
    .select('job_rules.procedure')
    .where('job_requests.action', '=', sql.lit('run'))
    .where('job_requests.handled_at', 'is', null)
    .where('job_requests.run_at', '<=', now)
    .orderBy('job_requests.priority', 'desc')
    .orderBy('job_requests.id');
}

function openFromRow(row: RequestRow, procedure: string): OpenRequest {
  // Not by spreading, which costs as much as all the rest.
  return Object.assign(requestFromRow(row), { procedure });
}

/** The table of requests. */
export class Requests {
  readonly #db: Kysely<Database>;
  readonly #rules: Rules;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(db: Kysely<Database>, rules: Rules, clock: Pick<Clock, 'now'>) {
    this.#db = db;
    this.#rules = rules;
    this.#clock = clock;
  }

  /**
   * Writes down that somebody wants a run, or the end of the runs that go on.
   *
   * @param asked which rule: as {@link findRule} takes it
   * @param by a person, or what else asked
   * @returns the number of the request
   * @throws UnknownRuleError (`LINOD_ERR_UNKNOWN_RULE`), AmbiguousRuleError (`LINOD_ERR_AMBIGUOUS_RULE`); UsageError
   *   (`LINOD_ERR_USAGE`) when its procedure is gone, or the arguments are no JSON
   */
  async add(
    asked: number | string,
    action: JobRequest['action'],
    by: string,
    { args, runAt, priority }: RequestOptions = {},
  ): Promise<number> {
    const id = await findRule(this.#db, asked);
    const [row] = await insertRequest.rows(this.#db, {
      rule_id: id,
      action,
      requested_at: this.#clock.now(),
      requested_by: by,
      args: jsonText('args', args),
      run_at: runAt?.getTime() ?? 0,
      priority: priority ?? null,
    });
    if (row !== undefined) return row.id;
    const rule = await this.#rules.get(id);
    throw new UsageError(`job rule ${id} cannot run: no procedure ${rule.procedure} is registered`);
  }

  /**
   * Writes down that somebody wants the end of one run.
   *
   * @throws UsageError (`LINOD_ERR_USAGE`) when there is no such job, or it has ended
   */
  async addCancel(jobId: number, by: string): Promise<number> {
    const job = await this.#db
      .selectFrom('jobs')
      .select(['rule_id', 'status'])
      .where('id', '=', jobId)
      .executeTakeFirst();
    if (job === undefined) throw new UsageError(`no job ${jobId}; \`linod jobs\` lists the newest`);
    if (job.status !== 'running') throw new UsageError(`job ${jobId} has ended: it is ${job.status}`);
    const { id } = await this.#db
      .insertInto('job_requests')
      .values({
        rule_id: job.rule_id,
        action: 'cancel',
        requested_at: this.#clock.now(),
        requested_by: by,
        of_job: jobId,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    return id;
  }

  /** Requests for the end of runs, the oldest first. */
  async cancellations(): Promise<JobRequest[]> {
    const rows = await cancellations.rows(this.#db, {});
    return rows.map(requestFromRow);
  }

  /**
   * What a look begins with: requests for runs as {@link open} gives them, and whether the end of some run is asked for. Read at once,
   * since mostly there is neither.
   */
  async asked(limit: number): Promise<{ open: OpenRequest[]; isCancelled: boolean }> {
    const rows = await askedRequests.rows(this.#db, { now: this.#clock.now(), limit });
    const open: OpenRequest[] = [];
    for (const row of rows)
      if (row.action === 'run' && row.procedure !== null) open.push(openFromRow(row, row.procedure));
    return { open, isCancelled: open.length < rows.length };
  }

  /** Requests for runs that can be taken up now, those with the higher priority and then the oldest first. */
  async open(limit: number, blocked: Blocked): Promise<OpenRequest[]> {
    const { procedures, rules, groups } = blocked;
    const now = this.#clock.now();
    const read = (row: OpenRow) => openFromRow(row, row.procedure);
    if (isNothing(blocked)) return (await openRequests.rows(this.#db, { now, limit })).map(read);
    const rows = await openQuery(this.#db, sql.val(now))
      .$if(rules.length > 0, (query) => query.where('job_requests.rule_id', 'not in', rules))
      .$if(groups.length > 0, (query) => query.where('job_requests.job_group', 'not in', groups))
      .$if(procedures.length > 0, (query) => query.where('job_rules.procedure', 'not in', procedures))
      .limit(limit)
      .execute();
    return rows.map(read);
  }

  /**
   * Marks the request for the end of a run as done with, and those for runs of that rule that came before it as
   * withdrawn, unless it names a run.
   *
   * @returns false if somebody else did before
   */
  async handleCancel(request: JobRequest, outcome: string): Promise<boolean> {
    return await transact(this.#db, async (tx) => {
      // Not by reading it: it may have been deleted, or be unreadable, and its run is to end all the same.
      await tx
        .selectFrom('job_rules')
        .select('id')
        .where('id', '=', request.ruleId)
        .forNoKeyUpdate()
        .executeTakeFirst();
      if (request.ofJob === null) {
        await tx
          .updateTable('job_requests')
          .set({ handled_at: this.#clock.now(), outcome: `withdrawn by ${request.requestedBy}` })
          .where('rule_id', '=', request.ruleId)
          .where('action', '=', 'run')
          .where('id', '<', request.id)
          .where('handled_at', 'is', null)
          .execute();
      }
      const updated = await tx
        .updateTable('job_requests')
        .set({ handled_at: this.#clock.now(), outcome })
        .where('id', '=', request.id)
        .where('handled_at', 'is', null)
        .executeTakeFirst();
      return updated.numUpdatedRows > 0n;
    });
  }
}

/** A further attempt as a row: not before `runAt`, in ms since 1970. */
export interface FurtherAttempt {
  readonly ruleId: number;
  readonly ofJob: number;
  readonly attempt: number;
  readonly runAt: number;
  readonly why: string;
  readonly args: string | null;
  readonly checkpoint: string | null;
  readonly priority: number;
  readonly group: string;
}

/** Writes down that a run is to be tried again; a part of the transaction that ends it. */
export async function addAttempt(tx: Kysely<Database>, attempt: FurtherAttempt, now: number): Promise<void> {
  await tx
    .insertInto('job_requests')
    .values({
      rule_id: attempt.ruleId,
      action: 'run',
      requested_at: now,
      requested_by: attempt.why,
      run_at: attempt.runAt,
      attempt: attempt.attempt,
      priority: attempt.priority,
      args: attempt.args,
      checkpoint: attempt.checkpoint,
      of_job: attempt.ofJob,
      job_group: attempt.group,
    })
    .execute();
}

/** Whether an outcome says that there will be no run. */
export function isRefusal(outcome: string): boolean {
  return /^(skipped|withdrawn)\b/.test(outcome);
}

/** How the outcome of a request is told that another one, which waits for a run already, stands for. */
export function mergedOutcome(request: number, run: string): string {
  return `one with request ${request}, which waits for ${run}`;
}

/** The request that stands for the one with such an outcome; null for any other outcome. */
export function mergedWith(outcome: string): number | null {
  const [, request] = /^one with request (\d+),/.exec(outcome) ?? [];
  return request === undefined ? null : Number(request);
}

function requestFromRow(row: RequestRow): JobRequest {
  return {
    id: row.id,
    ruleId: row.rule_id,
    action: row.action === 'cancel' ? 'cancel' : 'run',
    requestedBy: row.requested_by,
    attempt: row.attempt,
    args: row.args,
    checkpoint: row.checkpoint,
    ofJob: row.of_job,
  };
}
