// What became of one due time of a rule: the one at, or the nearest to, a point in time.

import type { Kysely } from 'kysely';
import { openTasks } from '../actors.js';
import { systemClock } from '../clock.js';
import { latestUpTo } from '../recurrence/occurrences.js';
import type { Site } from '../site.js';
import type { Database } from '../store/schema.js';
import type { Store } from '../store/store.js';
import { type Job, jobFromRow } from '../tasks/job.js';
import type { JobRule } from '../tasks/rule.js';
import { findRule } from '../tasks/rule-named.js';
import { type Attempt, attemptsAfter, attemptText } from './attempts.js';
import { readEntries } from './entries.js';
import { hindrancesOf, type Situation, situationOf } from './hindrances.js';
import { type ToldEntry, tell } from './rule-story.js';
import { jobText } from './sentences.js';
import { readSummaries, summaryText } from './summaries.js';

export interface DueTimeStory {
  readonly rule: JobRule;
  readonly asked: Date;
  /** The due time that is told of; null when there is none near. */
  readonly dueAt: Date | null;
  /** What the ledger has on it. */
  readonly entries: readonly ToldEntry[];
  readonly job: Job | null;
  readonly attempts: readonly Attempt[];
  /** All of it, a sentence each. */
  readonly sentences: readonly string[];
}

/** Entries about one due time are few; the same long stretch may have been told of by several workers. */
const maxEntries = 50;

/**
 * @param named which rule: its number, its name, or the name of its procedure, where that has one rule only
 * @throws UnknownRuleError (`LINOD_ERR_UNKNOWN_RULE`), AmbiguousRuleError (`LINOD_ERR_AMBIGUOUS_RULE`)
 */
export async function dueTimeStory(
  { site, store }: { readonly site: Site; readonly store: Store },
  named: number | string,
  asked: Date,
  now = new Date(systemClock.now()),
): Promise<DueTimeStory> {
  const { rules } = openTasks({ site, store });
  const rule = await rules.get(await findRule(store.db, named));
  return await new DueTimeTeller(await situationOf({ site, store }, rule, now)).tell(asked);
}

class DueTimeTeller {
  readonly #situation: Situation;
  readonly #db: Kysely<Database>;
  readonly #rule: JobRule;

  constructor(situation: Situation) {
    this.#situation = situation;
    this.#db = situation.db;
    this.#rule = situation.rule;
  }

  async tell(asked: Date): Promise<DueTimeStory> {
    const dueAt = await this.#nearest(asked);
    const entries = dueAt === null ? [] : await this.#entriesOf(dueAt);
    const job = entries.find((entry) => entry.job !== null)?.job ?? (await this.#jobAt(dueAt));
    const attempts = job === null ? [] : await attemptsAfter(this.#db, job);
    const sentences = [
      ...this.#heading(asked, dueAt),
      ...entries.map((entry) => this.#sentence(entry)),
      ...this.#jobSentences(entries, job),
      ...attempts.map((attempt) => attemptText(attempt, this.#time)),
      ...this.#absence(entries),
      ...(entries.length === 0 && job === null ? await this.#withoutEntries(asked, dueAt) : []),
    ];
    return { rule: this.#rule, asked, dueAt, entries, job, attempts, sentences };
  }

  readonly #time = (instant: Date): string => this.#rule.localTime(instant);

  #heading(asked: Date, dueAt: Date | null): string[] {
    if (dueAt === null || dueAt.getTime() === asked.getTime()) return [];
    return [`the rule was not due at ${this.#time(asked)}; the nearest due time is ${this.#time(dueAt)}`];
  }

  /** With its own time where that is not the due time's. */
  #sentence({ dueUntil, dueAt, sentence, reason }: ToldEntry): string {
    if (dueUntil === null || dueAt === null || reason === 'dropped') return sentence;
    return `from ${this.#time(dueAt)} on: ${sentence}`;
  }

  /** A job whose entry is not kept any more, and on which worker it was. */
  #jobSentences(entries: readonly ToldEntry[], job: Job | null): string[] {
    if (job === null) return [];
    const told = entries.some((entry) => entry.job !== null);
    const where = job.status === 'running' ? [] : [`it ran on worker ${job.workerId}`];
    return told ? where : [jobText(job, this.#time), ...where];
  }

  #absence(entries: readonly ToldEntry[]): string[] {
    const missed = entries.find(({ reason }) => reason === 'late' || reason === 'dropped');
    if (missed?.dueAt == null) return [];
    const absence = this.#situation.presence.absenceAt(missed.dueAt.getTime(), this.#time);
    return absence === null ? [] : [absence];
  }

  /** Nothing was written of it: it is to come, it is overdue, or the entries are not kept any more. */
  async #withoutEntries(asked: Date, dueAt: Date | null): Promise<string[]> {
    const rule = this.#rule;
    const { now } = this.#situation;
    const day = this.#time(dueAt ?? asked).slice(0, 'yyyy-mm-dd'.length);
    const [summary] = await readSummaries(this.#db, rule.id, { day, limit: 1 });
    if (summary !== undefined) return [`of that day only a summary is left: ${summaryText(summary)}`];
    if (asked < rule.createdAt) return [`the rule was made at ${this.#time(rule.createdAt)}`];
    if (dueAt === null) return ['there is no due time near', ...(await this.#stateAt(asked))];
    if (dueAt.getTime() < now && !this.#isOpen(dueAt)) {
      return ['nothing is known of it: entries so old are not kept', ...(await this.#stateAt(dueAt))];
    }
    const hindrances = await hindrancesOf(this.#situation);
    const open = dueAt.getTime() < now ? 'it has not begun yet' : 'it is to come';
    return [open, ...hindrances.map(({ sentence }) => sentence)];
  }

  /** Whether it is still to be decided about. */
  #isOpen(dueAt: Date): boolean {
    const { nextDueAt } = this.#rule;
    return nextDueAt !== null && dueAt >= nextDueAt;
  }

  /** Whether the rule was cancelled then. */
  async #stateAt(instant: Date): Promise<string[]> {
    const row = await this.#db
      .selectFrom('decisions')
      .select(['reason', 'detail', 'decided_at'])
      .where('rule_id', '=', this.#rule.id)
      .where('reason', 'in', ['cancelled', 'removed', 'resumed', 'reactivated'])
      .where('decided_at', '<=', instant.getTime())
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst();
    if (row === undefined || row.reason === 'resumed' || row.reason === 'reactivated') return [];
    const since = this.#time(new Date(row.decided_at));
    return [`the rule had been ${row.reason} since ${since}: ${row.detail}`];
  }

  async #entriesOf(dueAt: Date): Promise<ToldEntry[]> {
    const about = await readEntries(this.#db, this.#rule.id, { dueAt, limit: maxEntries });
    // A run may have made up for what was dropped: it was decided upon at the same time, and is told of before.
    const dropped = about.find(({ reason }) => reason === 'dropped');
    const filter = { decidedAt: dropped?.decidedAt ?? dueAt, limit: maxEntries };
    const around = dropped === undefined ? [] : await readEntries(this.#db, this.#rule.id, filter);
    const own = new Set(about.map(({ id }) => id));
    const others = around.filter(({ id }) => !own.has(id));
    return tell([...others, ...about], this.#rule).filter(({ id }) => own.has(id));
  }

  async #jobAt(dueAt: Date | null): Promise<Job | null> {
    if (dueAt === null) return null;
    const row = await this.#db
      .selectFrom('jobs')
      .selectAll()
      .where('rule_id', '=', this.#rule.id)
      .where('due_at', '=', dueAt.getTime())
      .executeTakeFirst();
    return row === undefined ? null : jobFromRow(row);
  }

  /** The due time at a point in time, or the nearest to it: of the ledger, of the jobs, or one to come. */
  async #nearest(asked: Date): Promise<Date | null> {
    const at = asked.getTime();
    if ((await readEntries(this.#db, this.#rule.id, { dueAt: asked, limit: 1 })).length > 0) return asked;
    const known = await Promise.all(
      (['decisions', 'jobs'] as const).flatMap((table) => [
        this.#known(table, '<=', at),
        this.#known(table, '>', at),
      ]),
    );
    const candidates = [...known, ...this.#planned(at)].filter((time) => time !== null);
    candidates.sort((a, b) => Math.abs(a - at) - Math.abs(b - at));
    return candidates[0] === undefined ? null : new Date(candidates[0]);
  }

  async #known(table: 'decisions' | 'jobs', side: '<=' | '>', at: number): Promise<number | null> {
    const row = await this.#db
      .selectFrom(table)
      .select((eb) => (side === '<=' ? eb.fn.max('due_at') : eb.fn.min('due_at')).as('at'))
      .where('rule_id', '=', this.#rule.id)
      .where('due_at', side, at)
      .executeTakeFirst();
    return row?.at ?? null;
  }

  /** Due times that nobody has decided about: the last one before, and the next one. */
  #planned(at: number): Array<number | null> {
    const next = this.#rule.nextDueAt?.getTime();
    if (next === undefined) return [];
    const after = (instant: number) => this.#rule.dueAfter(new Date(instant))?.getTime() ?? null;
    return at <= next ? [next] : [latestUpTo(at - 1, next - 1, after), after(at - 1)];
  }
}
