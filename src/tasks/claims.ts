// Who runs what: due times and requests are claimed for this worker, many in one transaction.
//
// All of it is decided under the locks of the rules, and in one transaction with what it leads to: the jobs, the entries
// of the ledger, and when the rules are due next. So two workers never claim the same, and nothing happens untold.

import type { Kysely, RawBuilder } from 'kysely';
import type { Clock } from '../clock.js';
import { type HostNeeds, parseHostKey } from '../runs/host.js';
import { idList, listJson, listTable, lock } from '../store/dialect.js';
import { sql } from '../store/kysely.js';
import { limitOf, PreparedQuery } from '../store/prepared.js';
import type { Database } from '../store/schema.js';
import { transact } from '../store/transact.js';
import { type Blocked, isNothing, notBlocked, nothing } from './blocked.js';
import { Claim, keyOf, type Start } from './claim.js';
import { type Begun, type Handled, insertStarts, TakenMeanwhile, writeTaken } from './claim-writes.js';
import { type Decision, decide, groupHindrance, type Running } from './decide.js';
import { type Job, jobFromRow } from './job.js';
import { KnownRules } from './known-rules.js';
import { type RuleEntry, ranBefore, writeEntries } from './ledger.js';
import { type NextTimes, nextTimes } from './next-times.js';
import { type JobRequest, mergedOutcome } from './requests.js';
import type { JobRule } from './rule.js';
import { isFaultOfRule, type Rules } from './rules.js';

/** A run that this worker is to begin. */
export interface Claimed {
  readonly job: Job;
  readonly rule: JobRule;
  /** Who asked for it; null when its time had come. */
  readonly user: string | null;
}

/** A rule or a request that cannot be taken up yet. */
export interface Waiting {
  readonly ruleId: number;
  /** Null for a request. */
  readonly dueAt: number | null;
  readonly for: 'run' | 'group' | 'place' | 'time';
  /** The group that is at its limit; empty otherwise. */
  readonly group: string;
  readonly hindrance: string;
}

/** What came of a look at what is due and what was asked for. */
export interface Claims {
  readonly claimed: readonly Claimed[];
  readonly waiting: readonly Waiting[];
  readonly skipped: readonly RuleEntry[];
  /** Runs that are to be asked to end, so that the next one can begin. */
  readonly cancel: readonly number[];
  /** Rules that cannot be run as they are. */
  readonly broken: ReadonlyArray<{ readonly rule: number; readonly error: Error }>;
}

/** What keeps a rule from starting, in words; a run of its own is no misfire, however long it takes. */
export type Hindrance =
  | Pick<Waiting, 'for' | 'hindrance'>
  | { readonly for: 'outage'; readonly hindrance: string };

/** A run that was given up here and has not ended. */
export interface Left extends Running {
  readonly ruleId: number;
}

/** What the worker knows besides what the database does. */
export interface View {
  readonly freePlaces: number;
  /** Since when it looks at the rules, in ms since 1970. */
  readonly lookingSince: number;
  /** What kept a rule from starting since it was due, if that is known. */
  hindrance(rule: JobRule, dueAt: number): Hindrance | null;
  /** Runs that were given up here and have not ended. */
  readonly left: readonly Left[];
}

/** A due time that somebody read. */
export interface Due {
  readonly id: number;
  readonly dueAt: number;
  readonly procedure: string;
}

/** So many should be claimed at once at most. */
export const largestClaim = 500;
/** A pool keeps no more ready. */
const mostRemote = 4;

type RulesQuery = ReturnType<typeof notBlocked>;

function dueQuery(rules: RulesQuery, by: RawBuilder<number>) {
  return rules
    .select(['id', 'next_due_at', 'procedure'])
    .where('next_due_at', '<=', by)
    .orderBy('due_priority', 'desc')
    .orderBy('next_due_at')
    .orderBy('seqno');
}

function remoteQuery(rules: RulesQuery) {
  return (
    rules
      .select(['next_due_at', 'due_host'])
      .where('next_due_at', 'is not', null)
      // In these words, for SQLite to see that an index has just these rules.
      .where(sql<boolean>`due_host <> ''`)
      .orderBy('next_due_at')
      .limit(sql.lit(mostRemote))
  );
}

function runningQuery(db: Kysely<Database>) {
  return (
    db
      .selectFrom('jobs')
      .select(['id', 'rule_id', 'start_datetime', 'job_group'])
      .where('status', '=', sql.lit('running' as const))
      // Not by the number alone, in the order of which SQLite would read the whole history.
      .orderBy('start_datetime')
      .orderBy('id')
  );
}

const dueRules = new PreparedQuery<{ by: number; limit: number }, DueRow>((db, value) =>
  dueQuery(notBlocked(db, nothing), value('by')).limit(limitOf(value('limit'))),
);
const nextRemote = new PreparedQuery<
  Record<string, never>,
  Pick<DueRow, 'next_due_at'> & { due_host: string }
>((db) => remoteQuery(notBlocked(db, nothing)));
const runningOf = new PreparedQuery<{ ids: string }, RunningRow>((db, value) =>
  runningQuery(db).where('rule_id', 'in', idList(db, value('ids'))),
);

interface DueRow {
  readonly id: number;
  readonly next_due_at: number | null;
  readonly procedure: string;
}

interface RunningRow {
  readonly id: number;
  readonly rule_id: number;
  readonly start_datetime: number;
  readonly job_group: string | null;
}

export class Claimer {
  readonly #db: Kysely<Database>;
  readonly #rules: Rules;
  readonly #known: KnownRules;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #workerId: string;

  constructor(db: Kysely<Database>, rules: Rules, clock: Pick<Clock, 'now'>, workerId: string) {
    this.#db = db;
    this.#rules = rules;
    this.#known = new KnownRules(rules);
    this.#clock = clock;
    this.#workerId = workerId;
  }

  /** The rules that are due by an instant, those with the higher priority and then the longest waiting first. */
  async due(by: number, limit: number, blocked: Blocked): Promise<Due[]> {
    const rows = isNothing(blocked)
      ? await dueRules.rows(this.#db, { by, limit })
      : await dueQuery(notBlocked(this.#db, blocked), sql.val(by)).limit(limit).execute();
    return rows.flatMap(({ id, next_due_at: dueAt, procedure }) =>
      dueAt === null ? [] : [{ id, dueAt, procedure }],
    );
  }

  /** When there is something to do again. */
  async nextTimes(blocked: Blocked): Promise<NextTimes> {
    return await nextTimes(this.#db, blocked, this.#clock.now());
  }

  /** The rules that are due next and whose runs need a thread or a process, as many as a worker keeps ready. */
  async nextRemote(blocked: Blocked): Promise<Array<{ dueAt: number; needs: HostNeeds }>> {
    const rows = isNothing(blocked)
      ? await nextRemote.rows(this.#db, {})
      : await remoteQuery(notBlocked(this.#db, blocked)).execute();
    return rows.flatMap(({ next_due_at: dueAt, due_host: host }) => {
      const needs = parseHostKey(host);
      return dueAt === null || needs === null ? [] : [{ dueAt, needs }];
    });
  }

  /**
   * Decides about rules that are due or soon will be: in one transaction the decisions, the jobs, and when the rules are
   * due next. A job that is claimed before its time is to be begun when it has come.
   */
  async claimDue(due: ReadonlyArray<Pick<Due, 'id' | 'dueAt'>>, view: View): Promise<Claims> {
    return await transact(this.#db, async (tx) => {
      const claim = await this.#begin(
        tx,
        due.map(({ id }) => id),
        view,
      );
      const moved: Array<{ id: number; next: number | null }> = [];
      for (const { id, dueAt } of due) {
        const locked = claim.locked(id);
        if (locked === undefined) continue;
        if (locked.dueAt !== dueAt) {
          await this.#tellIfTaken(tx, claim, id, dueAt);
          continue;
        }
        const decision = this.#decide(claim, locked.rule, dueAt);
        if (decision === null) continue;
        if (decision.action.kind === 'wait') {
          // Who comes behind it waits as well, however many are read at once.
          if (decision.action.for === 'place') break;
          continue;
        }
        moved.push({ id, next: decision.next });
        claim.entries.push(...decision.entries.map((entry) => ({ ...entry, ruleId: id })));
      }
      await moveOn(tx, moved);
      return await this.#end(tx, claim);
    });
  }

  /** Takes up requests for runs, as far as the policies of their rules and the places allow. */
  async claimRequests(requests: readonly JobRequest[], view: View): Promise<Claims> {
    try {
      return await transact(this.#db, async (tx) => await this.#claimRequests(tx, requests, view));
    } catch (error) {
      if (!(error instanceof TakenMeanwhile)) throw error;
    }
    // Seldom: another worker, or somebody who withdrew one, was quicker. So it is asked first which are still there.
    return await transact(this.#db, async (tx) => {
      await this.#known.lock(rulesOf(requests), tx);
      const open = await openAmong(tx, requests);
      const left = requests.filter(({ id }) => open.has(id));
      return await this.#claimRequests(tx, left, view);
    });
  }

  async #claimRequests(tx: Kysely<Database>, requests: readonly JobRequest[], view: View): Promise<Claims> {
    const claim = await this.#begin(tx, rulesOf(requests), view);
    const handled: Handled[] = [];
    const waiting: JobRequest[] = [];
    for (const request of requests) {
      const rule = claim.locked(request.ruleId)?.rule;
      if (rule === undefined) continue;
      const same = waiting.find((other) => isSameWork(other, request));
      const verdict = this.#judge(claim, rule, request, same?.id);
      if (verdict === null) waiting.push(request);
      else handled.push({ id: request.id, outcome: verdict });
    }
    const { starts, entries } = claim;
    const begun = await writeTaken(tx, { handled, starts, entries }, { by: this.#workerId, at: claim.now });
    return this.#claims(claim, begun);
  }

  /**
   * Runs of this worker that it has not begun: their claim was written, but the word of it was lost with the
   * connection to the database. They are to be run now, for nobody else will.
   *
   * @param known the jobs that it has begun
   */
  async unbegun(known: readonly number[]): Promise<Claimed[]> {
    const rows = await this.#db
      .selectFrom('jobs')
      .leftJoin('job_requests', 'job_requests.id', 'jobs.request_id')
      .selectAll('jobs')
      .select('job_requests.requested_by')
      .where('jobs.worker_id', '=', this.#workerId)
      .where('jobs.status', '=', 'running')
      .$if(known.length > 0, (query) => query.where('jobs.id', 'not in', known))
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
    await this.#db
      .updateTable('jobs')
      .set({ status: 'failed', message, end_datetime: this.#clock.now() })
      .where('id', '=', jobId)
      .where('worker_id', '=', this.#workerId)
      .where('status', '=', 'running')
      .execute();
  }

  /** Whether a job is still this worker's to run. */
  async isMine(jobId: number): Promise<boolean> {
    const row = await this.#db
      .selectFrom('jobs')
      .select('id')
      .where('id', '=', jobId)
      .where('worker_id', '=', this.#workerId)
      .where('status', '=', 'running')
      .executeTakeFirst();
    return row !== undefined;
  }

  async #begin(tx: Kysely<Database>, ruleIds: readonly number[], view: View): Promise<Claim> {
    const ids = [...new Set(ruleIds)];
    const claim = new Claim(view, this.#clock, await this.#known.lock(ids, tx));
    const groups = claim.groups();
    // A limit counts runs of all rules of a group, and so of rules that are not locked here.
    if (groups.length > 0) await lock(tx, 'groups');
    for (const run of await this.#running(tx, claim.lonely(), groups)) claim.count(run);
    return claim;
  }

  /** What goes on of these rules and groups. */
  async #running(
    tx: Kysely<Database>,
    rules: readonly number[],
    groups: readonly string[],
  ): Promise<RunningRow[]> {
    if (groups.length === 0)
      return rules.length === 0 ? [] : await runningOf.rows(tx, { ids: JSON.stringify(rules) });
    return await runningQuery(tx)
      .where((eb) => eb.or([eb('rule_id', 'in', idList(tx, rules)), eb('job_group', 'in', groups)]))
      .execute();
  }

  #decide(claim: Claim, rule: JobRule, dueAt: number): Decision | null {
    const { view, now } = claim;
    try {
      const hindrance = view.hindrance(rule, dueAt);
      const decision = decide(rule, dueAt, {
        now,
        running: claim.running(rule.id),
        inGroup: claim.inGroup(rule.policies.group),
        groupWait: claim.groupWait(rule.policies.group),
        hasPlace: claim.hasPlace,
        lookingSince: view.lookingSince,
        hindrance: hindrance?.hindrance ?? null,
        waitedForRun: hindrance?.for === 'run',
      });
      const { action, at } = decision;
      if (action.kind === 'start') claim.start(rule, { dueAt: at });
      if (action.kind === 'wait')
        claim.wait(rule, action.for, action.hindrance, { dueAt, cancel: action.cancel });
      return decision;
    } catch (error) {
      if (!isFaultOfRule(error)) throw error;
      claim.broken.push({ rule: rule.id, error });
      return null;
    }
  }

  /**
   * What becomes of a request, as its outcome; null while it waits.
   *
   * @param before a request for the same work that waits and comes before it
   */
  #judge(claim: Claim, rule: JobRule, request: JobRequest, before: number | undefined): string | null {
    if (request.ofJob !== null && !rule.active) return 'withdrawn: the rule is not active any more';
    const { overlap, group } = rule.policies;
    const running = claim.running(rule.id);
    const [first] = running;
    if (first !== undefined && overlap !== 'allow') {
      // Of a run that was decided upon just before, the number is not known yet.
      const name = first.jobId > 0 ? `job ${first.jobId}` : 'another run of the rule begins now';
      const hindrance = first.jobId > 0 ? `${name} was still running` : name;
      if (overlap === 'skip') {
        claim.entries.push(entryOf(request, 'skipped', `request ${request.id}: ${hindrance}`));
        return `skipped: ${hindrance}`;
      }
      if (before !== undefined) return mergedOutcome(before, name);
      const cancel = overlap === 'cancel-previous' ? running.map(({ jobId }) => jobId) : [];
      return claim.wait(rule, 'run', hindrance, { cancel });
    }
    const full = groupHindrance(rule.policies, claim.inGroup(group), claim.groupWait(group));
    if (full !== null) return claim.wait(rule, 'group', full);
    if (!claim.hasPlace) return claim.wait(rule, 'place', 'all places for jobs were taken');
    claim.start(rule, { request });
    const reason = request.ofJob === null ? 'requested' : 'again';
    claim.entries.push(entryOf(request, reason, `by ${request.requestedBy}, request ${request.id}`));
    return 'run';
  }

  /** Writes what was decided about due times, and makes the jobs. */
  async #end(tx: Kysely<Database>, claim: Claim): Promise<Claims> {
    const begun = await insertStarts(tx, claim.starts, this.#workerId);
    const keys = new Set(begun.map(keyOf));
    for (const start of claim.starts) {
      // Only a clock that was set back makes a rule due at a time for which it has run.
      if (!keys.has(start.key))
        claim.retell(start, `${ranBefore} as ${await this.#taken(tx, start.rule.id, start.row.due_at)}`);
    }
    await writeEntries(tx, claim.entries, { by: this.#workerId, at: claim.now });
    return this.#claims(claim, begun);
  }

  #claims(claim: Claim, begun: readonly Begun[]): Claims {
    const ids = new Map(begun.map((job) => [keyOf(job), job.id]));
    const claimed: Claimed[] = [];
    for (const start of claim.starts) {
      const id = ids.get(start.key);
      if (id !== undefined)
        claimed.push({ job: jobOf(start, id, this.#workerId), rule: start.rule, user: start.user });
    }
    const { waiting, broken } = claim;
    const skipped = claim.entries.filter((entry) => entry.reason === 'skipped');
    return { claimed, waiting, skipped, cancel: [...claim.cancelled], broken };
  }

  async #taken(tx: Kysely<Database>, ruleId: number, dueAt: number | null): Promise<string> {
    const job = await tx
      .selectFrom('jobs')
      .select(['id', 'worker_id'])
      .where('rule_id', '=', ruleId)
      .where('due_at', '=', dueAt)
      .executeTakeFirst();
    return job === undefined ? '' : `job ${job.id} of worker ${job.worker_id}`;
  }

  /** Somebody was quicker: another worker, which the ledger tells, or an edit, which has told already. */
  async #tellIfTaken(tx: Kysely<Database>, claim: Claim, ruleId: number, dueAt: number): Promise<void> {
    const detail = await this.#taken(tx, ruleId, dueAt);
    if (detail !== '')
      claim.entries.push({ ruleId, dueAt, dueUntil: null, times: 1, reason: 'taken', detail });
  }
}

const movedColumns = { id: 'integer', next: 'integer' } as const;

const move = new PreparedQuery<{ list: string }, never>(
  (db, value) => sql`
    update job_rules set next_due_at = moved.next
    from ${listTable(db, value('list'), movedColumns)} as moved where job_rules.id = moved.id
  `,
);

function jobOf({ row }: Start, id: number, workerId: string): Job {
  return jobFromRow({
    id,
    ...row,
    end_datetime: null,
    status: 'running',
    message: '',
    progress: null,
    worker_id: workerId,
    cause: null,
    cpu_ms: null,
    memory_bytes: null,
  });
}

function entryOf(request: JobRequest, reason: 'requested' | 'again' | 'skipped', detail: string): RuleEntry {
  return {
    ruleId: request.ruleId,
    requestId: request.id,
    dueAt: null,
    dueUntil: null,
    times: 1,
    reason,
    detail,
  };
}

async function moveOn(
  tx: Kysely<Database>,
  moved: ReadonlyArray<{ id: number; next: number | null }>,
): Promise<void> {
  if (moved.length === 0) return;
  await move.run(tx, { list: listJson(moved, movedColumns) });
}

/**
 * Whether one run does for both requests. Other arguments are other work, and a further attempt goes on where the one
 * before has stopped.
 */
function isSameWork(a: JobRequest, b: JobRequest): boolean {
  return a.ruleId === b.ruleId && a.args === b.args && a.ofJob === null && b.ofJob === null;
}

function rulesOf(requests: readonly JobRequest[]): number[] {
  return requests.map(({ ruleId }) => ruleId);
}

/** Those that nobody has taken up since they were read. */
async function openAmong(tx: Kysely<Database>, requests: readonly JobRequest[]): Promise<Set<number>> {
  const columns = { id: 'integer' } as const;
  const list = listTable(tx, listJson(requests, columns), columns);
  const { rows } = await sql<{ id: number }>`
    select job_requests.id from ${list} as read inner join job_requests on job_requests.id = read.id
    where job_requests.handled_at is null
  `.execute(tx);
  return new Set(rows.map(({ id }) => id));
}
