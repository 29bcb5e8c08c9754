// The table of rules: its rows read, locked and written, together with what the ledger and the history say of
// each change.

import { type Kysely, sql } from 'kysely';
import type { Clock } from '../base/clock.js';
import type { Database, JobRuleRow } from '../store/schema.js';
import { afterCommit } from '../store/transact.js';
import { type ChangeWay, signChanges } from './changes/sign-changes.js';
import { checkFollows, followedBy, unknownRule } from './find-rule.js';
import { leftUndone, missedSince, type RuleEntry, writeEntries } from './ledger.js';
import { lateAfterMs } from './ledger-entry.js';
import { mustSucceedMs } from './policies.js';
import type { Procedure } from './procedure.js';
import type { Reason } from './reasons.js';
import { JobRule } from './rule.js';
import type { RuleColumns } from './rule-fields.js';

/** How a rule comes to be changed. */
export interface Change {
  readonly how: ChangeWay;
  /** What happened to it, for what was due and will not be run: `edited`, `cancelled`. */
  readonly what: string;
  /** Default: who acts. */
  readonly by?: string;
  /** In ms since 1970. Default: now, so that no change makes a rule run. */
  readonly dueAfter?: number;
  /** The rule as it was, where that is not what the database has any more. */
  readonly before?: JobRuleRow;
}

export class RuleTable {
  readonly db: Kysely<Database>;
  readonly clock: Pick<Clock, 'now'>;
  /** Who acts: a worker's id, or the person at a command. */
  readonly actor: string;
  readonly #timezone: string;
  readonly #onDecided: ((entries: readonly RuleEntry[]) => void) | undefined;

  /**
   * @param timezone the site's zone, for rules that name none
   * @param onDecided called with entries of the ledger once they are committed; must not throw
   */
  constructor(
    db: Kysely<Database>,
    timezone: string,
    clock: Pick<Clock, 'now'>,
    actor: string,
    onDecided?: (entries: readonly RuleEntry[]) => void,
  ) {
    this.#onDecided = onDecided;
    this.db = db;
    this.#timezone = timezone;
    this.clock = clock;
    this.actor = actor;
  }

  /** @throws UnknownRuleError (`LINOD_ERR_UNKNOWN_RULE`) */
  async get(id: number, db: Kysely<Database> = this.db): Promise<JobRule> {
    return this.parse(await this.row(id, db));
  }

  /** The same as a row. */
  protected async row(id: number, db: Kysely<Database> = this.db): Promise<JobRuleRow> {
    const row = await db.selectFrom('job_rules').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw await unknownRule(id, db);
    return row;
  }

  /**
   * Reads a rule that nobody else changes until the transaction ends, and whose due times and requests nobody
   * else claims: whatever is decided about a rule begins with this.
   *
   * @throws UnknownRuleError (`LINOD_ERR_UNKNOWN_RULE`)
   */
  async lock(id: number, tx: Kysely<Database>): Promise<JobRule> {
    return this.parse(await this.lockRow(id, tx));
  }

  /** The same as a row, for who changes it. */
  async lockRow(id: number, tx: Kysely<Database>): Promise<JobRuleRow> {
    const row = await tx
      .selectFrom('job_rules')
      .selectAll()
      .where('id', '=', id)
      .forNoKeyUpdate()
      .executeTakeFirst();
    if (row === undefined) throw await unknownRule(id, tx);
    return row;
  }

  /**
   * Writes columns of a rule that is locked, once it is clear that what comes of it can be a rule. Part of a
   * transaction.
   *
   * @throws LinodError when it cannot
   */
  async rewrite(
    tx: Kysely<Database>,
    row: JobRuleRow,
    columns: RuleColumns,
    change: Omit<Change, 'what'>,
  ): Promise<void> {
    await this.checked(tx, row, columns);
    await this.change(tx, row, columns, { ...change, what: 'edited' });
  }

  /** What comes of a rule with other columns. @throws LinodError when it cannot be a rule */
  protected async checked(db: Kysely<Database>, row: JobRuleRow, columns: RuleColumns): Promise<JobRule> {
    // Also of a rule that is not active now, lest it cannot be resumed; and before the database sees it.
    const rewritten = new JobRule({ ...row, ...columns }, this.#timezone);
    void rewritten.recurrence;
    await checkFollows(db, rewritten);
    return rewritten;
  }

  /** Writes columns of a rule that is locked, and works out when it is due next. Part of a transaction. */
  async change(
    tx: Kysely<Database>,
    row: JobRuleRow,
    columns: RuleColumns,
    { how, what, by = this.actor, ...options }: Change,
  ): Promise<void> {
    // One instant for all, lest a due time lies between two.
    const now = this.clock.now();
    const { dueAfter = now, before = row } = options;
    await this.record(tx, leftUndone(this.parse(before), row.next_due_at, dueAfter, what));
    if (Object.keys(columns).length > 0) {
      await this.set(tx, row.id, columns);
      // A change in the database that nobody has looked after yet stays what it is.
      await signChanges(tx, row.id, row.revision, { by, how, at: now });
    }
    const rule = await this.get(row.id, tx);
    const due = await this.dueSince(tx, rule, dueAfter);
    if (rule.active) await this.#noteMissed(tx, before, dueAfter);
    await this.#renewDue(tx, rule, dueAfter, due);
  }

  /**
   * Cancels a rule since a run of it failed, or it cannot be run. The next set-up tries it again. Part of a
   * transaction.
   */
  async cancelFailed(tx: Kysely<Database>, id: number, error: string): Promise<void> {
    await this.markCancelled(tx, id, 'failure', `failed: ${error}`);
  }

  /** Cancels a rule, and writes why. Part of a transaction. */
  protected async markCancelled(
    tx: Kysely<Database>,
    id: number,
    by: 'person' | 'failure',
    reason: string,
  ): Promise<void> {
    const row = await this.lockRow(id, tx);
    // The start of an inactive period stays, because the ledger records it when the rule is due again.
    const at = row.cancelled_at ?? this.clock.now();
    const columns = { cancelled_at: at, cancelled_by: by, cancelled_reason: reason };
    const how = by === 'person' ? 'command' : by;
    await this.change(tx, row, columns, { how, what: 'cancelled' });
    await this.note(id, 'cancelled', reason, tx);
  }

  /** Writes a line of the ledger. */
  async note(id: number, reason: Reason, detail: string, db: Kysely<Database> = this.db): Promise<void> {
    await this.record(db, [{ ruleId: id, dueAt: null, dueUntil: null, times: 1, reason, detail }]);
  }

  /** Notes what was due up to an instant while a rule was not active. @param before the rule as it was */
  async #noteMissed(tx: Kysely<Database>, before: JobRuleRow, until: number): Promise<void> {
    const { id, cancelled_at, removed_at } = before;
    const since = Math.min(cancelled_at ?? until, removed_at ?? until);
    if (since >= until) return;
    const why =
      since === cancelled_at
        ? 'the rule was cancelled then'
        : `no procedure ${before.procedure} was registered then`;
    const from = new Date(await this.#decidedUpTo(tx, id, since));
    const rule = this.parse({ ...before, cancelled_at: null, removed_at: null });
    await this.record(tx, missedSince(rule, from, until, why));
  }

  /**
   * When a rule is due later than an instant, and than what was decided upon already.
   *
   * @throws as `JobRule.dueAfter`
   */
  async dueSince(tx: Kysely<Database>, rule: JobRule, since: number): Promise<Date | null> {
    const due = rule.dueAfter(new Date(since));
    const isAsPlanned = due === null || (rule.nextDueAt !== null && due >= rule.nextDueAt);
    return isAsPlanned ? due : rule.dueAfter(new Date(await this.#decidedUpTo(tx, rule.id, since)));
  }

  /**
   * The last due time that was decided upon, if it is later than an instant: the clock of the worker that has
   * it may be ahead of this one's by a little, and a change in the database is noticed later than it was
   * made.
   */
  async #decidedUpTo(tx: Kysely<Database>, ruleId: number, instant: number): Promise<number> {
    const dueTime = sql<number>`coalesce(due_until, due_at)`;
    const { last } = await tx
      .selectFrom('decisions')
      .select((eb) => eb.fn.max(dueTime).as('last'))
      .where('rule_id', '=', ruleId)
      .where(dueTime, '>', instant)
      .where(dueTime, '<=', this.clock.now() + lateAfterMs)
      // Entries about future times do not count.
      .whereRef('decided_at', '>=', 'due_at')
      .executeTakeFirstOrThrow();
    return last ?? instant;
  }

  /** A row as a rule. What is wrong with the row is thrown when somebody asks when the rule is due. */
  parse(row: JobRuleRow, before?: JobRule): JobRule {
    return new JobRule(row, this.#timezone, before);
  }

  /**
   * Makes a rule, which is first due after now. Part of a transaction that has the lock of the rules.
   *
   * @returns its number
   */
  async insert(
    tx: Kysely<Database>,
    procedure: Procedure,
    how: ChangeWay,
    name = procedure.name,
  ): Promise<number> {
    const last = await tx
      .selectFrom('job_rules')
      .select((eb) => eb.fn.max('seqno').as('seqno'))
      .executeTakeFirst();
    const now = this.clock.now();
    const row = await tx
      .insertInto('job_rules')
      .values({
        seqno: (last?.seqno ?? 0) + 1,
        name,
        procedure: procedure.name,
        suggestion: JSON.stringify(procedure.suggestion),
        created_at: now,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await signChanges(tx, row.id, -1, { by: this.actor, how, at: now });
    // The same instant for both, so that no due time between them goes unrecorded.
    const rule = this.parse(row);
    await this.#renewDue(tx, rule, now, rule.dueAfter(new Date(now)));
    return row.id;
  }

  async #renewDue(tx: Kysely<Database>, rule: JobRule, since: number, due: Date | null): Promise<void> {
    const { priority, group } = rule.policies;
    const follows = await followedBy(tx, rule);
    const columns = { due_priority: priority, due_group: group, follows_rule_id: follows };
    await this.#watchSuccess(tx, rule);
    await this.setDue(tx, rule, since, due, columns);
  }

  /** The time for a success begins when somebody begins to wait for one. */
  async #watchSuccess(
    tx: Kysely<Database>,
    { id, cancelledBy, removedAt, policies }: JobRule,
  ): Promise<void> {
    // A person who cancels a rule waits for nothing; a rule that a failure has cancelled is waited for.
    const isWatched = cancelledBy !== 'person' && removedAt === null;
    const within = isWatched ? mustSucceedMs(policies.mustSucceedWithin) : null;
    const now = this.clock.now();
    const since = sql<number>`case when must_succeed_ms is null then cast(${now} as bigint) else succeeded_at end`;
    await tx
      .updateTable('job_rules')
      .set({ must_succeed_ms: within, succeeded_at: within === null ? null : since })
      .where('id', '=', id)
      .$if(within === null, (query) => query.where('must_succeed_ms', 'is not', null))
      .execute();
  }

  /** Writes when a rule is due next. What the ledger says of times to come was said of the rule as it was. */
  async setDue(
    tx: Kysely<Database>,
    rule: JobRule,
    since: number,
    due: Date | null,
    columns: Partial<JobRuleRow> = {},
  ): Promise<void> {
    await this.set(tx, rule.id, { ...columns, next_due_at: due === null ? null : due.getTime() });
    await tx
      .deleteFrom('decisions')
      .where('rule_id', '=', rule.id)
      .where('due_at', '>', this.clock.now())
      .whereRef('decided_at', '<', 'due_at')
      .where('reason', 'in', ['skipped', 'moved'])
      .execute();
    const notes = due === null ? [] : rule.skippedOrMovedBetween(since, due.getTime());
    const entries = notes.map((note) => ({ ...note, ruleId: rule.id }));
    await this.record(tx, entries);
  }

  /** Writes columns of a rule. What is a change of it has to be signed. */
  async set(tx: Kysely<Database>, id: number, columns: Partial<Omit<JobRuleRow, 'id'>>): Promise<void> {
    await tx.updateTable('job_rules').set(columns).where('id', '=', id).execute();
  }

  /** Writes entries to the ledger. @param at when it was decided, in ms since 1970 */
  async record(
    db: Kysely<Database>,
    entries: readonly RuleEntry[],
    at: number = this.clock.now(),
  ): Promise<void> {
    await writeEntries(db, entries, { by: this.actor, at });
    afterCommit(db, () => this.#onDecided?.(entries));
  }
}
