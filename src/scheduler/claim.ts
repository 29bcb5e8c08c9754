// Claims due times and requests for this worker, many in one transaction.
//
// The transaction locks the rules, decides, and writes the jobs, the next due times and the ledger. So two
// workers never claim the same due time, and every action has its reason in the ledger.

import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { TraceKeys } from '../../channels/tracing/peer.js';
import { type RuleEntry, ranBefore } from '../rules/ledger.js';
import { isFaultOfRule, type JobRule } from '../rules/rule.js';
import type { Rules } from '../rules/site-rules.js';
import { type Job, jobFromRow } from '../runs/job.js';
import { idList, lock } from '../store/dialect.js';
import type { Database, JobRow } from '../store/schema.js';
import { transact } from '../store/transact.js';
import { traceFromText } from '../tracing/runs.js';
import { Batch, type Decisions, type NewJob, type RunningRow, type View, type Waiting } from './batch.js';
import type { Due } from './due.js';
import type { JobRequest } from './requests.js';

/** A job that this worker has claimed and must begin. */
export interface Claimed {
  readonly job: Job;
  readonly rule: JobRule;
  /** Who requested it; null for a due time. */
  readonly user: string | null;
  /** Where its request belongs in a trace. */
  readonly trace: TraceKeys | null;
}

/** The result of one transaction. */
export interface Claims {
  readonly claimed: readonly Claimed[];
  readonly waiting: readonly Waiting[];
  readonly skipped: readonly RuleEntry[];
  /** Jobs to cancel, so that the next run of their rule can begin. */
  readonly cancel: readonly number[];
  /** Rules with invalid values. */
  readonly broken: ReadonlyArray<{ readonly rule: number; readonly error: Error }>;
  /** The number of due rules or requests that stay open. */
  readonly remaining: number;
  /** Whether a claimed rule has another due time that has passed. */
  readonly isDueAgain: boolean;
}

/** Maximum of parsed rules in memory. */
const maxCached = 2000;

export class Claimer {
  readonly #rules: Rules;
  /** Parsed rules, because parsing a recurrence is slow. */
  readonly #cache = new Map<number, JobRule>();

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** Decides about rules that are due, and writes the jobs and the next due times. */
  async claimDue(due: ReadonlyArray<Pick<Due, 'id' | 'dueAt'>>, view: View): Promise<Claims> {
    return await transact(this.#rules.db, async (tx) => {
      const ids = due.map(({ id }) => id);
      const batch = await this.#begin(tx, ids, view);
      for (const { id, dueAt } of due) {
        const rule = batch.rules.get(id);
        if (rule === undefined) continue;
        // Another worker claimed it first, or a person edited the rule.
        if (rule.nextDueAt?.getTime() !== dueAt) batch.decided.taken.push({ ruleId: id, dueAt });
        // No rule overtakes one that waits for a slot, whatever the size of the batch.
        else if (!batch.decideDue(rule, dueAt)) break;
      }
      await writeNextDueTimes(tx, batch.decided.nextDueTimes);
      const { nextDueTimes, taken, broken } = batch.decided;
      const handled = nextDueTimes.length + taken.length + broken.length;
      return await this.#end(tx, batch, due.length - handled);
    });
  }

  /** Starts requested runs, as far as the policies of their rules and the slots allow. */
  async claimRequests(requests: readonly JobRequest[], view: View): Promise<Claims> {
    return await transact(this.#rules.db, async (tx) => {
      const ids = requests.map(({ ruleId }) => ruleId);
      const batch = await this.#begin(tx, ids, view);
      // Another worker may have handled some of them since they were read.
      const open = await openAmong(tx, requests);
      const outcomes = new Map<string, number[]>();
      for (const request of requests) {
        const rule = batch.rules.get(request.ruleId);
        if (rule === undefined || !open.has(request.id)) continue;
        const outcome = batch.decideRequest(rule, request);
        if (outcome !== null) addTo(outcomes, outcome, request.id);
      }
      for (const [outcome, ids] of outcomes) {
        await tx
          .updateTable('job_requests')
          .set({ handled_at: batch.now, outcome })
          .where('id', 'in', idList(tx, ids))
          .execute();
      }
      return await this.#end(tx, batch, batch.decided.waiting.length);
    });
  }

  /**
   * Jobs that this worker has claimed but not begun: the transaction was committed, and the connection failed
   * before the worker heard of it. No other worker runs them.
   *
   * @param begun the jobs that this worker has begun
   */
  async notBegun(begun: readonly number[]): Promise<Claimed[]> {
    const rows = await this.#rules.db
      .selectFrom('jobs')
      .leftJoin('job_requests', 'job_requests.id', 'jobs.request_id')
      .selectAll('jobs')
      .select(['job_requests.requested_by', 'job_requests.trace_context'])
      .where('jobs.worker_id', '=', this.#rules.actor)
      .where('jobs.status', '=', 'running')
      .where('jobs.id', 'not in', idList(this.#rules.db, begun))
      // Ordered by id alone, SQLite would scan the whole table.
      .orderBy('jobs.start_datetime')
      .orderBy('jobs.id')
      .execute();
    const claimed: Claimed[] = [];
    for (const row of rows) {
      try {
        const rule = await this.#rules.get(row.rule_id);
        const trace = traceFromText(row.trace_context);
        claimed.push({ job: jobFromRow(row), rule, user: row.requested_by, trace });
      } catch (error) {
        if (!isFaultOfRule(error)) throw error;
        await this.#fail(row.id, `cannot begin: ${error.message}`);
      }
    }
    return claimed;
  }

  async #fail(jobId: number, message: string): Promise<void> {
    await this.#rules.db
      .updateTable('jobs')
      .set({ status: 'failed', message, end_datetime: this.#rules.clock.now() })
      .where('id', '=', jobId)
      .where('worker_id', '=', this.#rules.actor)
      .where('status', '=', 'running')
      .execute();
  }

  async #begin(tx: Kysely<Database>, ids: readonly number[], view: View): Promise<Batch> {
    const rows = await tx
      .selectFrom('job_rules')
      .selectAll()
      .where('id', 'in', idList(tx, [...new Set(ids)]))
      // The same order everywhere prevents deadlocks.
      .orderBy('id')
      .forNoKeyUpdate()
      .execute();
    const rules = new Map(rows.map((row) => [row.id, this.#rules.parse(row, this.#cache.get(row.id))]));
    if (this.#cache.size > maxCached) this.#cache.clear();
    for (const rule of rules.values()) this.#cache.set(rule.id, rule);
    const groups = [...new Set(Array.from(rules.values(), ({ policies }) => policies.group))].filter(Boolean);
    // A group's limit also counts runs of rules that this transaction does not lock.
    if (groups.length > 0) await lock(tx, 'groups');
    const batch = new Batch(rules, view, this.#rules.clock.now(), this.#rules.actor);
    for (const run of await runningOf(tx, ids, groups)) batch.count(run);
    return batch;
  }

  async #end(tx: Kysely<Database>, batch: Batch, remaining: number): Promise<Claims> {
    const { now, decided } = batch;
    const { starts, waiting, broken } = decided;
    const begun = await insertJobs(tx, starts);
    const isBegun = new Set(begun.map(keyOf));
    await countDebugged(
      tx,
      [...decided.debugged].filter((start) => isBegun.has(keyOf(start))),
    );
    // A rule is due twice at the same time only after the clock was set back.
    const repeated = starts.filter((start) => !isBegun.has(keyOf(start)));
    const taken = await this.#takenEntries(tx, decided.taken, repeated);
    const entries = decided.entries.filter((entry) => !taken.some((other) => isSameTime(entry, other)));
    const withJobs = entries.map((entry) => withJob(entry, begun));
    await this.#rules.record(tx, [...withJobs, ...taken], now);
    const claimed = begun.flatMap((row) => {
      const rule = batch.rules.get(row.rule_id);
      const { requestedBy: user = null, traceContext = null } =
        decided.requests.get(row.request_id ?? 0) ?? {};
      const trace = traceFromText(traceContext);
      return rule === undefined ? [] : [{ job: jobFromRow(row), rule, user, trace }];
    });
    return {
      claimed,
      waiting,
      skipped: entries.filter(({ reason }) => reason === 'skipped'),
      cancel: [...decided.cancelled],
      broken,
      remaining,
      isDueAgain: decided.nextDueTimes.some(({ next }) => next !== null && next <= now),
    };
  }

  /**
   * Entries of due times that have a job already: another worker's, or one from before the clock was set
   * back.
   */
  async #takenEntries(
    tx: Kysely<Database>,
    taken: Decisions['taken'],
    repeated: readonly NewJob[],
  ): Promise<RuleEntry[]> {
    const before = `${ranBefore} as `;
    const times = [
      ...taken.map(({ ruleId, dueAt }) => ({ ruleId, dueAt, before: '' })),
      ...repeated.map(({ rule_id: ruleId, due_at: dueAt }) => ({ ruleId, dueAt: dueAt ?? 0, before })),
    ];
    if (times.length === 0) return [];
    const [ruleIds, dueTimes] = [times.map(({ ruleId }) => ruleId), times.map(({ dueAt }) => dueAt)];
    const jobs = await tx
      .selectFrom('jobs')
      .select(['id', 'rule_id', 'due_at', 'worker_id'])
      .where('rule_id', 'in', idList(tx, ruleIds))
      .where('due_at', 'in', idList(tx, dueTimes))
      .execute();
    return times.flatMap(({ ruleId, dueAt, before }) => {
      const job = jobs.find(({ rule_id, due_at }) => rule_id === ruleId && due_at === dueAt);
      if (job === undefined) return [];
      const detail = `${before}job ${job.id} of worker ${job.worker_id}`;
      return [{ ruleId, dueAt, dueUntil: null, times: 1, reason: 'taken' as const, detail }];
    });
  }
}

/** The running jobs of these rules and groups, on all workers. */
async function runningOf(
  tx: Kysely<Database>,
  rules: readonly number[],
  groups: readonly string[],
): Promise<RunningRow[]> {
  return await tx
    .selectFrom('jobs')
    .select(['id', 'rule_id', 'start_datetime', 'job_group'])
    // A literal, so that SQLite uses the partial index of running jobs.
    .where('status', '=', sql.lit('running' as const))
    .where((eb) => {
      const ofRules = eb('rule_id', 'in', idList(tx, rules));
      return groups.length === 0 ? ofRules : eb.or([ofRules, eb('job_group', 'in', groups)]);
    })
    // Ordered by id alone, SQLite would scan the whole table.
    .orderBy('start_datetime')
    .orderBy('id')
    .execute();
}

/** Inserts jobs, except those that exist already. @returns the inserted rows */
async function insertJobs(tx: Kysely<Database>, starts: readonly NewJob[]): Promise<JobRow[]> {
  if (starts.length === 0) return [];
  const rows = await tx
    .insertInto('jobs')
    .values(starts)
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .execute();
  return rows.sort((a, b) => a.id - b.id);
}

/** One statement for all rules with the same next due time, which most rules of a batch share. */
async function writeNextDueTimes(tx: Kysely<Database>, times: Decisions['nextDueTimes']): Promise<void> {
  const byNext = new Map<number | null, number[]>();
  for (const { id, next } of times) addTo(byNext, next, id);
  for (const [next, ids] of byNext) {
    await tx.updateTable('job_rules').set({ next_due_at: next }).where('id', 'in', idList(tx, ids)).execute();
  }
}

/** The next runs of a rule are debugged until so many have begun. */
async function countDebugged(tx: Kysely<Database>, starts: readonly NewJob[]): Promise<void> {
  for (const { rule_id } of starts) {
    await tx
      .updateTable('job_rules')
      .set(({ eb }) => ({ debug_runs: eb('debug_runs', '-', 1) }))
      .where('id', '=', rule_id)
      .where('debug_runs', '>', 0)
      .execute();
  }
}

function addTo<K>(lists: Map<K, number[]>, key: K, id: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [id]);
  else list.push(id);
}

async function openAmong(tx: Kysely<Database>, requests: readonly JobRequest[]): Promise<Set<number>> {
  const ids = requests.map(({ id }) => id);
  const rows = await tx
    .selectFrom('job_requests')
    .select('id')
    .where('id', 'in', idList(tx, ids))
    .where('handled_at', 'is', null)
    .execute();
  return new Set(rows.map(({ id }) => id));
}

/** Identifies a start before and after its row has an id. */
function keyOf({ rule_id, due_at, request_id }: Pick<NewJob, 'rule_id' | 'due_at' | 'request_id'>): string {
  return request_id == null ? `${rule_id} at ${due_at}` : `request ${request_id}`;
}

/** Whether two entries are about the same single due time. */
function isSameTime(a: RuleEntry, b: RuleEntry): boolean {
  return a.ruleId === b.ruleId && a.dueAt === b.dueAt && a.times === 1 && a.dueAt !== null;
}

/** Adds to an entry about dropped due times the job that ran in their place. */
function withJob(entry: RuleEntry, begun: readonly JobRow[]): RuleEntry {
  if (entry.reason !== 'dropped') return entry;
  const job = begun.find(
    ({ rule_id, due_at }) => rule_id === entry.ruleId && due_at !== null && due_at < (entry.dueAt ?? 0),
  );
  return job === undefined ? entry : { ...entry, jobId: job.id };
}
