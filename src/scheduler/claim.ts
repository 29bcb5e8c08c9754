// Who runs what: due times and requests are claimed for this worker, many in one transaction.
//
// The transaction locks the rules, decides, and writes what follows: the jobs, the next due times and the ledger. So two
// workers never claim the same, and nothing happens without its reason.

import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { type RuleEntry, ranBefore, writeEntries } from '../rules/ledger.js';
import { isFaultOfRule, type JobRule } from '../rules/rule.js';
import type { Rules } from '../rules/site-rules.js';
import { type Job, jobFromRow } from '../runs/job.js';
import { idList, lock } from '../store/dialect.js';
import type { Database, JobRow } from '../store/schema.js';
import { transact } from '../store/transact.js';
import { Batch, type Decisions, type NewJob, type RunningRow, type View, type Waiting } from './batch.js';
import type { Due } from './due.js';
import type { JobRequest } from './requests.js';

/** A run that this worker is to begin. */
export interface Claimed {
  readonly job: Job;
  readonly rule: JobRule;
  /** Who asked for it; null when its time had come. */
  readonly user: string | null;
}

/** What came of a claim. */
export interface Claims {
  readonly claimed: readonly Claimed[];
  readonly waiting: readonly Waiting[];
  readonly skipped: readonly RuleEntry[];
  /** Runs that are to be asked to end, so that the next one can begin. */
  readonly cancel: readonly number[];
  /** Rules that cannot be run as they are. */
  readonly broken: ReadonlyArray<{ readonly rule: number; readonly error: Error }>;
  /** How many of what was to be claimed are open as before. */
  readonly left: number;
  /** Whether a rule is due at once again. */
  readonly isDueAgain: boolean;
}

/** The memory of a worker must not grow with rules that come and go. */
const maxKnown = 2000;

export class Claimer {
  readonly #rules: Rules;
  /** The rules that were claimed last, whose recurrences are put together once. */
  readonly #known = new Map<number, JobRule>();

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** Decides about rules that are due: what starts, what is skipped or waits, and when the rules are due next. */
  async claimDue(due: ReadonlyArray<Pick<Due, 'id' | 'dueAt'>>, view: View): Promise<Claims> {
    return await transact(this.#rules.db, async (tx) => {
      const ids = due.map(({ id }) => id);
      const batch = await this.#begin(tx, ids, view);
      for (const { id, dueAt } of due) {
        const rule = batch.rules.get(id);
        if (rule === undefined) continue;
        // Another worker was quicker, or somebody has edited the rule, which the ledger tells.
        if (rule.nextDueAt?.getTime() !== dueAt) batch.decided.missed.push({ ruleId: id, dueAt });
        // Who comes behind one that waits for a slot waits as well, however many are read at once.
        else if (!batch.decideDue(rule, dueAt)) break;
      }
      await moveOn(tx, batch.decided.moved);
      const handled = batch.decided.moved.length + batch.decided.missed.length + batch.decided.broken.length;
      return await this.#end(tx, batch, due.length - handled);
    });
  }

  /** Takes up requests for runs, as far as the policies of their rules and the slots allow. */
  async claimRequests(requests: readonly JobRequest[], view: View): Promise<Claims> {
    return await transact(this.#rules.db, async (tx) => {
      const ids = requests.map(({ ruleId }) => ruleId);
      const batch = await this.#begin(tx, ids, view);
      // Since they were read, another worker may have taken some up, or somebody has withdrawn them.
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
   * Runs of this worker that it has not begun: their claim was written, but the word of it was lost with the
   * connection to the database. They are to be run now, for nobody else will.
   *
   * @param known the jobs that it has begun
   */
  async unbegun(known: readonly number[]): Promise<Claimed[]> {
    const rows = await this.#rules.db
      .selectFrom('jobs')
      .leftJoin('job_requests', 'job_requests.id', 'jobs.request_id')
      .selectAll('jobs')
      .select('job_requests.requested_by')
      .where('jobs.worker_id', '=', this.#rules.actor)
      .where('jobs.status', '=', 'running')
      .where('jobs.id', 'not in', idList(this.#rules.db, known))
      // Not by the number alone, in the order of which SQLite would read the whole history.
      .orderBy('jobs.start_datetime')
      .orderBy('jobs.id')
      .execute();
    const claimed: Claimed[] = [];
    for (const row of rows) {
      try {
        const rule = await this.#rules.get(row.rule_id);
        claimed.push({ job: jobFromRow(row), rule, user: row.requested_by });
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
      // Always in the same order, so that no two workers wait for one another.
      .orderBy('id')
      .forNoKeyUpdate()
      .execute();
    const rules = new Map(rows.map((row) => [row.id, this.#rules.parse(row, this.#known.get(row.id))]));
    if (this.#known.size > maxKnown) this.#known.clear();
    for (const rule of rules.values()) this.#known.set(rule.id, rule);
    const groups = [...new Set(Array.from(rules.values(), ({ policies }) => policies.group))].filter(Boolean);
    // A limit counts runs of all rules of a group, and so of rules that are not locked here.
    if (groups.length > 0) await lock(tx, 'groups');
    const batch = new Batch(rules, view, this.#rules.clock.now(), this.#rules.actor);
    for (const run of await runningOf(tx, ids, groups)) batch.count(run);
    return batch;
  }

  async #end(tx: Kysely<Database>, batch: Batch, left: number): Promise<Claims> {
    const { now, decided } = batch;
    const { starts, waiting, broken } = decided;
    const begun = await insertJobs(tx, starts);
    const isBegun = new Set(begun.map(keyOf));
    // Only a clock that was set back makes a rule due at a time for which it has run.
    const repeated = starts.filter((start) => !isBegun.has(keyOf(start)));
    const taken = await this.#taken(tx, decided.missed, repeated);
    const entries = decided.entries.filter((entry) => !taken.some((other) => isSameTime(entry, other)));
    const told = entries.map((entry) => withJob(entry, begun));
    await writeEntries(tx, [...told, ...taken], { by: this.#rules.actor, at: now });
    const claimed = begun.flatMap((row) => {
      const rule = batch.rules.get(row.rule_id);
      const user = decided.users.get(row.request_id ?? 0) ?? null;
      return rule === undefined ? [] : [{ job: jobFromRow(row), rule, user }];
    });
    return {
      claimed,
      waiting,
      skipped: entries.filter(({ reason }) => reason === 'skipped'),
      cancel: [...decided.cancelled],
      broken,
      left,
      isDueAgain: decided.moved.some(({ next }) => next !== null && next <= now),
    };
  }

  /** What the ledger tells of due times for which there is a job: another worker's, or one from before the clock was set back. */
  async #taken(
    tx: Kysely<Database>,
    missed: Decisions['missed'],
    repeated: readonly NewJob[],
  ): Promise<RuleEntry[]> {
    const before = `${ranBefore} as `;
    const times = [
      ...missed.map(({ ruleId, dueAt }) => ({ ruleId, dueAt, before: '' })),
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

/** What goes on of these rules and groups, on whichever worker. */
async function runningOf(
  tx: Kysely<Database>,
  rules: readonly number[],
  groups: readonly string[],
): Promise<RunningRow[]> {
  return await tx
    .selectFrom('jobs')
    .select(['id', 'rule_id', 'start_datetime', 'job_group'])
    // In these words, for SQLite to see that an index has just these jobs.
    .where('status', '=', sql.lit('running' as const))
    .where((eb) => {
      const ofRules = eb('rule_id', 'in', idList(tx, rules));
      return groups.length === 0 ? ofRules : eb.or([ofRules, eb('job_group', 'in', groups)]);
    })
    // Not by the number alone, in the order of which SQLite would read the whole history.
    .orderBy('start_datetime')
    .orderBy('id')
    .execute();
}

/** Writes jobs, without those that are there already. @returns those that were written */
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

/** Most rules that are due at one time are due at one time again. */
async function moveOn(tx: Kysely<Database>, moved: Decisions['moved']): Promise<void> {
  const byNext = new Map<number | null, number[]>();
  for (const { id, next } of moved) addTo(byNext, next, id);
  for (const [next, ids] of byNext) {
    await tx.updateTable('job_rules').set({ next_due_at: next }).where('id', 'in', idList(tx, ids)).execute();
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

/** What a start and its row have in common before the row has a number. */
function keyOf({ rule_id, due_at, request_id }: Pick<NewJob, 'rule_id' | 'due_at' | 'request_id'>): string {
  return request_id == null ? `${rule_id} at ${due_at}` : `request ${request_id}`;
}

/** Whether two entries tell of the very same due time. */
function isSameTime(a: RuleEntry, b: RuleEntry): boolean {
  return a.ruleId === b.ruleId && a.dueAt === b.dueAt && a.times === 1 && a.dueAt !== null;
}

/** Of due times that passed meanwhile, the ledger names the job that makes up for them. */
function withJob(entry: RuleEntry, begun: readonly JobRow[]): RuleEntry {
  if (entry.reason !== 'dropped') return entry;
  const job = begun.find(
    ({ rule_id, due_at }) => rule_id === entry.ruleId && due_at !== null && due_at < (entry.dueAt ?? 0),
  );
  return job === undefined ? entry : { ...entry, jobId: job.id };
}
