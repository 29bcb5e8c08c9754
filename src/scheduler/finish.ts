// Writes how runs ended, and acts on it: retries, cancels rules, and makes the rules due that run after
// others.

import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { durationText } from '../base/duration.js';
import { leaveReason } from '../membership/worker-registry.js';
import { inactiveRule, type RuleEntry, storable } from '../rules/ledger.js';
import { isFaultOfRule, type JobRule } from '../rules/rule.js';
import type { Rules } from '../rules/site-rules.js';
import { interrupted, type Job, jobFromRow, type Outcome } from '../runs/job.js';
import { killMarked, markOf } from '../runs/remote/mark.js';
import { idList } from '../store/dialect.js';
import type { Database, JobRow } from '../store/schema.js';
import { transact } from '../store/transact.js';

/** The result of writing an end. */
export interface Ended {
  /** False when the job was marked as lost before. Nothing is written then. */
  readonly mine: boolean;
  /** What happens to the rule, as a clause; empty for nothing. */
  readonly follows: string;
  /** Whether another run becomes due: of a rule that runs after this one, or a further attempt. */
  readonly wakes: boolean;
}

/** An end in the queue. */
interface Waiting {
  readonly job: Job;
  readonly rule: JobRule;
  readonly outcome: Outcome;
  resolve(ended: Ended): void;
  reject(error: unknown): void;
}

/** The longest delay between attempts. */
const longestDelayMs = 3_600_000;
/** Maximum of ends per transaction. */
const maxBatch = 100;

const lostMeanwhile: Ended = { mine: false, follows: '', wakes: false };

export class Ends {
  readonly #rules: Rules;
  #waiting: Waiting[] = [];
  #isWriting = false;

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /**
   * Writes how a run ended and applies the rule's policies. Ends that arrive during a write share the next
   * transaction.
   */
  finish(job: Job, rule: JobRule, outcome: Outcome): Promise<Ended> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, rule, outcome, resolve, reject });
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  /** Never rejects: a failure rejects the promises of `finish`. */
  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    // Wait one turn of the event loop, so that runs that end together share a transaction.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const some = this.#waiting.splice(0, maxBatch);
      try {
        const ended = await transact(this.#rules.db, async (tx) => await this.#write(tx, some));
        for (const [i, one] of some.entries()) one.resolve(ended[i] ?? lostMeanwhile);
      } catch (error) {
        for (const one of some) one.reject(error);
      }
    }
    // Reset here and not after this promise: a caller may finish another run before the promise settles.
    this.#isWriting = false;
  }

  async #write(tx: Kysely<Database>, some: readonly Waiting[]): Promise<Ended[]> {
    const mine = await this.#writeOutcomes(tx, some);
    const done = some.filter(({ job, outcome }) => mine.has(job.id) && outcome.status === 'done');
    const wakes = await this.#wakeFollowers(tx, done);
    await this.#noteSuccess(tx, done);
    const ended: Ended[] = [];
    /** Rules whose failure count was reset here and that have not failed since. */
    const resetRules = new Set<number>();
    for (const { job, rule, outcome } of some) {
      if (!mine.has(job.id)) ended.push(await this.#earlier(tx, job, outcome));
      else if (outcome.status === 'lost') {
        const headline = outcome.message.split('\n', 1)[0] ?? '';
        const follows = await this.#lose(tx, job, headline);
        ended.push({ mine: true, follows, wakes: wakes || follows !== '' });
      } else if (outcome.status !== 'failed' && outcome.status !== 'timeout') {
        // A concurrent run of the rule may have failed since this one began.
        const mayHaveFailed = rule.failuresInRow > 0 || rule.policies.overlap === 'allow';
        if (outcome.status === 'done' && mayHaveFailed && !resetRules.has(rule.id)) {
          await resetFailures(tx, rule.id);
          resetRules.add(rule.id);
        }
        ended.push({ mine: true, follows: '', wakes });
      } else {
        const follows = await this.#afterFailure(tx, job, rule, outcome);
        resetRules.delete(rule.id);
        ended.push({ mine: true, follows, wakes: wakes || follows !== '' });
      }
    }
    return ended;
  }

  /** One statement for each distinct outcome. @returns the jobs that were still this worker's */
  async #writeOutcomes(tx: Kysely<Database>, some: readonly Waiting[]): Promise<Set<number>> {
    const alike = new Map<string, { readonly outcome: Outcome; readonly ids: number[] }>();
    for (const { job, outcome } of some) {
      const key = JSON.stringify(outcome);
      const same = alike.get(key) ?? { outcome, ids: [] };
      same.ids.push(job.id);
      alike.set(key, same);
    }
    const mine = new Set<number>();
    for (const { outcome, ids } of alike.values()) {
      const { status, message, cause = null, cpuMs = null, memoryBytes = null } = outcome;
      const rows = await tx
        .updateTable('jobs')
        .set({
          status,
          message: storable(message),
          cause,
          cpu_ms: cpuMs,
          memory_bytes: memoryBytes,
          end_datetime: this.#rules.clock.now(),
        })
        .where('id', 'in', idList(tx, ids))
        .where('worker_id', '=', this.#rules.actor)
        .where('status', '=', 'running')
        .returning('id')
        .execute();
      for (const { id } of rows) mine.add(id);
    }
    return mine;
  }

  /** Makes the rules due that run after these. @returns whether there are any */
  async #wakeFollowers(tx: Kysely<Database>, done: readonly Waiting[]): Promise<boolean> {
    if (done.length === 0) return false;
    const ids = [...new Set(done.map(({ rule }) => rule.id))];
    const updated = await tx
      .updateTable('job_rules')
      .set({ next_due_at: this.#rules.clock.now() })
      .where('follows_rule_id', 'in', idList(tx, ids))
      .where('cancelled_at', 'is', null)
      .where('removed_at', 'is', null)
      // A rule that is due already runs after this run, too.
      .where('next_due_at', 'is', null)
      .executeTakeFirst();
    return updated.numUpdatedRows > 0n;
  }

  /** For the alarm of rules that have to succeed within a time. */
  async #noteSuccess(tx: Kysely<Database>, done: readonly Waiting[]): Promise<void> {
    const watched = done.filter(({ rule }) => rule.policies.mustSucceedWithin !== '');
    if (watched.length === 0) return;
    const ids = [...new Set(watched.map(({ rule }) => rule.id))];
    await tx
      .updateTable('job_rules')
      .set({ succeeded_at: this.#rules.clock.now() })
      .where('id', 'in', idList(tx, ids))
      .where('must_succeed_ms', 'is not', null)
      .execute();
  }

  /** Retries, cancels the rule, or continues, as the rule says. */
  async #afterFailure(tx: Kysely<Database>, job: Job, rule: JobRule, outcome: Outcome): Promise<string> {
    const current = await this.#lockIfReadable(rule.id, tx);
    if (current === null) return '';
    const { onFailure, retries, retryDelaySeconds } = current.policies;
    if (onFailure === 'retry' && job.attempt <= retries)
      return await this.#tryAgain(tx, current, job, 'failed', retryDelayMs(retryDelaySeconds, job.attempt));
    return await this.#countFailure(tx, current, job, outcome.message.split('\n', 1)[0] ?? '');
  }

  /** Counts a failure after the last attempt, and cancels the rule when its limit is reached. */
  async #countFailure(tx: Kysely<Database>, rule: JobRule, job: Job, headline: string): Promise<string> {
    if (!rule.active) return '';
    const { onFailure, cancelAfter } = rule.policies;
    const failures = rule.failuresInRow + 1;
    await this.#rules.set(tx, rule.id, { failures_in_row: failures });
    if (onFailure === 'continue' || failures < cancelAfter) return '';
    const inRow = cancelAfter === 1 ? '' : `, ${failures} failures in a row`;
    await this.#rules.cancelFailed(tx, rule.id, `${headline} (job ${job.id}${inRow})`);
    return 'the rule is cancelled by that';
  }

  /** Requests a further attempt. For an inactive rule, records in the ledger that there is none. */
  async #tryAgain(
    tx: Kysely<Database>,
    rule: JobRule,
    { id: jobId, attempt }: Job,
    what: 'failed' | 'was lost',
    delayMs = 0,
  ): Promise<string> {
    const { retries } = rule.policies;
    if (!rule.active) {
      const detail = `attempt ${attempt + 1}, after job ${jobId}, which ${what}: ${inactiveRule}`;
      await this.#record(tx, { ruleId: rule.id, jobId, dueAt: null, reason: 'skipped', detail });
      return '';
    }
    const now = this.#rules.clock.now();
    // The run has saved its checkpoint in the job's row.
    await sql`
      insert into job_requests (rule_id, action, requested_at, requested_by, run_at, attempt, priority, job_group,
        args, checkpoint, of_job, debug, trace_context)
      select job_rules.id, 'run', cast(${now} as bigint), cast(${`job ${jobId}, which ${what}`} as text),
        cast(${now + delayMs} as bigint), jobs.attempt + 1, due_priority, due_group, jobs.args, jobs.checkpoint, jobs.id,
        jobs.debug, (select trace_context from job_requests where id = jobs.request_id)
      from jobs inner join job_rules on job_rules.id = jobs.rule_id
      where jobs.id = ${jobId}
    `.execute(tx);
    const when = delayMs === 0 ? '' : ` in ${durationText(delayMs)}`;
    return `attempt ${attempt + 1} of ${retries + 1} comes${when}`;
  }

  async #record(tx: Kysely<Database>, entry: Omit<RuleEntry, 'dueUntil' | 'times'>): Promise<void> {
    await this.#rules.record(tx, [{ ...entry, dueUntil: null, times: 1 }]);
  }

  /** The end may be in the database already, when the connection failed after the commit. */
  async #earlier(tx: Kysely<Database>, job: Job, { status, message }: Outcome): Promise<Ended> {
    const row = await tx
      .selectFrom('jobs')
      .select(['worker_id', 'status', 'message'])
      .where('id', '=', job.id)
      .executeTakeFirst();
    const mine = row?.worker_id === this.#rules.actor && row.status === status && row.message === message;
    // The caller has not heard yet that another run became due.
    return mine ? { mine, follows: '', wakes: true } : lostMeanwhile;
  }

  /** Marks the running jobs of workers that stopped or died as lost, and applies their rules' policies. */
  async giveUpLost(): Promise<Job[]> {
    // Check without a lock first: there is seldom a lost job.
    const found = await orphans(this.#rules.db);
    if (found.length === 0) return [];
    // Before the job may run again, kill the detached processes that it left behind.
    for (const { id, worker_id, run_in } of found)
      if (run_in === 'process') await killMarked(markOf(worker_id, id));
    return await transact(this.#rules.db, async (tx) => {
      const lost: Job[] = [];
      for (const orphan of await orphans(tx)) {
        const message =
          orphan.stop_reason === leaveReason
            ? interrupted
            : `worker ${orphan.worker_id} ended meanwhile: ${orphan.stop_reason ?? 'the reason is unknown'}`;
        const row = await tx
          .updateTable('jobs')
          .set({ status: 'lost', message, end_datetime: this.#rules.clock.now() })
          .where('id', '=', orphan.id)
          .where('status', '=', 'running')
          .returningAll()
          .executeTakeFirst();
        // Since the read, the job has ended or another worker has marked it.
        if (row === undefined) continue;
        const job = jobFromRow(row);
        await this.#lose(tx, job, message);
        lost.push(job);
      }
      return lost;
    });
  }

  /**
   * Records a lost run in the ledger, and runs it again, cancels the rule, or continues, as the rule says.
   */
  async #lose(tx: Kysely<Database>, job: Job, why: string): Promise<string> {
    const { id, ruleId, attempt } = job;
    const dueAt = job.dueAt?.getTime() ?? null;
    await this.#record(tx, { ruleId, jobId: id, dueAt, reason: 'lost', detail: `job ${id}: ${why}` });
    const rule = await this.#lockIfReadable(ruleId, tx);
    if (rule === null) return '';
    const { onLost, retries } = rule.policies;
    if (onLost === 'run-again') {
      if (attempt <= retries) return await this.#tryAgain(tx, rule, job, 'was lost');
      // A job that kills its worker must not run again for ever.
      return await this.#countFailure(tx, rule, job, `the last of ${attempt} attempts was lost`);
    }
    if (onLost === 'continue' || !rule.active) return '';
    await this.#rules.cancelFailed(tx, ruleId, `job ${id} was lost`);
    return 'the rule is cancelled by that';
  }

  /** Null for a deleted or invalid rule. The end of its run is written all the same. */
  async #lockIfReadable(id: number, tx: Kysely<Database>): Promise<JobRule | null> {
    try {
      return await this.#rules.lock(id, tx);
    } catch (error) {
      if (!isFaultOfRule(error)) throw error;
      return null;
    }
  }
}

/** Starts the count of failures in a row again, after a success. */
async function resetFailures(tx: Kysely<Database>, id: number): Promise<void> {
  await tx
    .updateTable('job_rules')
    .set({ failures_in_row: 0 })
    .where('id', '=', id)
    .where('failures_in_row', '>', 0)
    .execute();
}

/** Doubles with each attempt. Random jitter of 10 % spreads jobs that failed together. */
function retryDelayMs(firstSeconds: number, attempt: number): number {
  const delayMs = Math.min(firstSeconds * 1000 * 2 ** (attempt - 1), longestDelayMs);
  return Math.round(delayMs * (0.9 + 0.2 * Math.random()));
}

/** Running jobs whose worker has stopped or is not registered. */
async function orphans(
  db: Kysely<Database>,
): Promise<Array<Pick<JobRow, 'id' | 'worker_id' | 'run_in'> & { stop_reason: string | null }>> {
  return await db
    .selectFrom('jobs')
    .leftJoin('workers', 'workers.id', 'jobs.worker_id')
    .select(['jobs.id', 'jobs.worker_id', 'jobs.run_in', 'workers.stop_reason'])
    .where('jobs.status', '=', sql.lit('running' as const))
    .where((eb) => eb.or([eb('workers.id', 'is', null), eb('workers.stopped_at', 'is not', null)]))
    // Ordered by id alone, SQLite would scan the whole table.
    .orderBy('jobs.start_datetime')
    .orderBy('jobs.id')
    .execute();
}
