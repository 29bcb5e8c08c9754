// Explains one due time of a rule: the one at, or nearest to, a given time.

import type { Kysely } from 'kysely';
import { openTasks } from '../../actors/tables.js';
import { systemClock } from '../../base/clock.js';
import { latestUpTo } from '../../recurrence/occurrences.js';
import { findRule } from '../../rules/find-rule.js';
import type { JobRule } from '../../rules/rule.js';
import { type Job, jobFromRow } from '../../runs/job.js';
import type { Site } from '../../site/site.js';
import type { Database } from '../../store/schema.js';
import type { Store } from '../../store/store.js';
import { blockersOf, type Situation, situationOf } from './blockers.js';
import { readEntries, readSummaries, summaryText } from './entries.js';
import { type DescribedEntry, describeEntries } from './rule-story.js';
import { jobText, type TimeWriter } from './sentences.js';

export interface DueTimeStory {
  readonly rule: JobRule;
  readonly asked: Date;
  /** The explained due time; null when there is none near. */
  readonly dueAt: Date | null;
  /** The ledger's entries about it. */
  readonly entries: readonly DescribedEntry[];
  readonly job: Job | null;
  readonly attempts: readonly Attempt[];
  /** The whole explanation, one sentence each. */
  readonly sentences: readonly string[];
}

/** One due time has few entries; several workers may have recorded the same range. */
const maxEntries = 50;

/**
 * Explains what happened at a due time, or what will.
 *
 * @param named which rule: its number, its name, or the name of its procedure if that has only one rule
 * @throws UnknownRuleError (`LINOD_ERR_UNKNOWN_RULE`), AmbiguousRuleError (`LINOD_ERR_AMBIGUOUS_RULE`)
 */
export async function dueTimeStory(
  { site, store }: { readonly site: Site; readonly store: Store },
  named: number | string,
  asked: Date,
  now = new Date(systemClock.now()),
): Promise<DueTimeStory> {
  const { db } = store;
  const rule = await (await openTasks({ site, store })).rules.get(await findRule(db, named));
  const situation = await situationOf({ site, store }, rule, now);
  const { time } = situation;
  const dueAt = await nearest(situation, asked);
  const entries =
    dueAt === null ? [] : describeEntries(await readEntries(db, rule.id, { dueAt, limit: maxEntries }), rule);
  // A dropped due time has no job of its own; the job of another one may have made up for it.
  const ownJob = entries.find((entry) => entry.reason !== 'dropped' && entry.job !== null)?.job ?? null;
  const job = ownJob ?? (dueAt === null ? null : await jobAt(db, rule.id, dueAt));
  const attempts = job === null ? [] : await attemptsAfter(db, job);
  const isUnknown = entries.length === 0 && job === null;
  const sentences = [
    ...(dueAt === null || dueAt.getTime() === asked.getTime()
      ? []
      : [`the rule was not due at ${time(asked)}; the nearest due time is ${time(dueAt)}`]),
    ...entries.map((entry) => entrySentence(entry, time)),
    ...(job === null || ownJob !== null ? [] : [jobText(job, time)]),
    ...(job === null || job.status === 'running' ? [] : [`it ran on worker ${job.workerId}`]),
    ...attempts.map((attempt) => attemptText(attempt, time)),
    ...absence(situation, entries),
    ...(isUnknown ? await withoutEntries(situation, asked, dueAt) : []),
  ];
  return { rule, asked, dueAt, entries, job, attempts, sentences };
}

/** Adds the due time where the entry is about a range of them. */
function entrySentence({ dueUntil, dueAt, sentence, reason }: DescribedEntry, time: TimeWriter): string {
  if (dueUntil === null || dueAt === null || reason === 'dropped') return sentence;
  return `from ${time(dueAt)} on: ${sentence}`;
}

function absence({ presence, time }: Situation, entries: readonly DescribedEntry[]): string[] {
  const missed = entries.find(({ reason }) => reason === 'late' || reason === 'dropped');
  const sentence = missed?.dueAt == null ? null : presence.absenceAt(missed.dueAt.getTime(), time);
  return sentence === null ? [] : [sentence];
}

/** Explains a due time without entries: it is in the future or overdue, or its entries have been deleted. */
async function withoutEntries(situation: Situation, asked: Date, dueAt: Date | null): Promise<string[]> {
  const { db, rule, now, time } = situation;
  const day = time(dueAt ?? asked).slice(0, 'yyyy-mm-dd'.length);
  const [summary] = await readSummaries(db, rule.id, { day, limit: 1 });
  if (summary !== undefined) return [`only a summary of that day is left: ${summaryText(summary)}`];
  if (asked < rule.createdAt) return [`the rule was made at ${time(rule.createdAt)}`];
  if (dueAt === null) return ['there is no due time near', ...(await stateAt(situation, asked))];
  const isPast = dueAt.getTime() < now;
  // The due time is still undecided.
  const isOpen = rule.nextDueAt !== null && dueAt >= rule.nextDueAt;
  if (isPast && !isOpen)
    return ['nothing is known about it: entries that old are deleted', ...(await stateAt(situation, dueAt))];
  const blockers = await blockersOf(situation);
  return [
    isPast ? 'it has not begun yet' : 'it is still to come',
    ...blockers.map(({ sentence }) => sentence),
  ];
}

/** Whether the rule was cancelled or removed at an instant. */
async function stateAt({ db, rule, time }: Situation, instant: Date): Promise<string[]> {
  const row = await db
    .selectFrom('decisions')
    .select(['reason', 'detail', 'decided_at'])
    .where('rule_id', '=', rule.id)
    .where('reason', 'in', ['cancelled', 'removed', 'resumed', 'reactivated'])
    .where('decided_at', '<=', instant.getTime())
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (row === undefined || row.reason === 'resumed' || row.reason === 'reactivated') return [];
  return [`the rule had been ${row.reason} since ${time(new Date(row.decided_at))}: ${row.detail}`];
}

async function jobAt(db: Kysely<Database>, ruleId: number, dueAt: Date): Promise<Job | null> {
  const jobs = db.selectFrom('jobs').selectAll().where('rule_id', '=', ruleId);
  const row = await jobs.where('due_at', '=', dueAt.getTime()).executeTakeFirst();
  return row === undefined ? null : jobFromRow(row);
}

/** The due time at or nearest to an instant: from the ledger, from the jobs, or a future one. */
async function nearest({ db, rule }: Situation, asked: Date): Promise<Date | null> {
  const at = asked.getTime();
  if ((await readEntries(db, rule.id, { dueAt: asked, limit: 1 })).length > 0) return asked;
  const candidates = planned(rule, at);
  for (const table of ['decisions', 'jobs'] as const) {
    const times = db.selectFrom(table).where('rule_id', '=', rule.id);
    const last = times.select((eb) => eb.fn.max('due_at').as('at')).where('due_at', '<=', at);
    const first = times.select((eb) => eb.fn.min('due_at').as('at')).where('due_at', '>', at);
    for (const query of [last, first]) candidates.push((await query.executeTakeFirst())?.at ?? null);
  }
  const known = candidates.filter((time) => time !== null);
  const [best] = known.sort((a, b) => Math.abs(a - at) - Math.abs(b - at));
  return best === undefined ? null : new Date(best);
}

/** Undecided due times: the last one before an instant, and the next one. */
function planned(rule: JobRule, at: number): Array<number | null> {
  const next = rule.nextDueAt?.getTime();
  if (next === undefined) return [];
  const after = (instant: number) => rule.dueAfter(new Date(instant))?.getTime() ?? null;
  return at <= next ? [next] : [latestUpTo(at - 1, next - 1, after), after(at - 1)];
}

/** A further attempt: a run, or its outcome if it never ran. */
export interface Attempt {
  readonly attempt: number;
  readonly job: Job | null;
  /** The scheduled time, while the attempt waits. */
  readonly runAt: Date | null;
  /** Why there is no run, in words. */
  readonly outcome: string | null;
}

/** The first run of the due time or request of which a run is an attempt; of those that are deleted, the oldest left. */
export async function firstAttempt(db: Kysely<Database>, of: Job): Promise<Job> {
  for (let job = of; ; ) {
    if (job.attempt === 1 || job.requestId === null) return job;
    const row = await db
      .selectFrom('job_requests')
      .innerJoin('jobs', 'jobs.id', 'job_requests.of_job')
      .selectAll('jobs')
      .where('job_requests.id', '=', job.requestId)
      .executeTakeFirst();
    if (row === undefined) return job;
    job = jobFromRow(row);
  }
}

/** The further attempts after a run, in order. */
export async function attemptsAfter(db: Kysely<Database>, first: Job): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  for (let job: Job | null = first; job !== null; job = attempts.at(-1)?.job ?? null) {
    const row: { id: number; attempt: number; run_at: number; outcome: string | null } | undefined = await db
      .selectFrom('job_requests')
      .select(['id', 'attempt', 'run_at', 'outcome'])
      .where('rule_id', '=', first.ruleId)
      .where('action', '=', 'run')
      .where('of_job', '=', job.id)
      .where('attempt', '=', job.attempt + 1)
      .orderBy('id')
      .limit(1)
      .executeTakeFirst();
    if (row === undefined) break;
    const run = await db.selectFrom('jobs').selectAll().where('request_id', '=', row.id).executeTakeFirst();
    attempts.push({
      attempt: row.attempt,
      job: run === undefined ? null : jobFromRow(run),
      runAt: row.outcome === null ? new Date(row.run_at) : null,
      outcome: row.outcome === 'run' ? null : row.outcome,
    });
  }
  return attempts;
}

/** An attempt as a sentence. */
export function attemptText({ attempt, job, runAt, outcome }: Attempt, time: TimeWriter): string {
  const name = `attempt ${attempt}`;
  if (job !== null) return `${name}: ${jobText(job, time)}`;
  if (runAt !== null) return `${name} is scheduled for ${time(runAt)}`;
  return `${name}: ${outcome ?? 'its job has been deleted'}`;
}
