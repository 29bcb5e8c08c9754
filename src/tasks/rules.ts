// The table of job rules: making them of procedures, changing them, and the ledger of what happened to them.

import { isDeepStrictEqual } from 'node:util';
import type { Kysely } from 'kysely';
import type { Clock } from '../clock.js';
import { LinodError, UsageError } from '../errors.js';
import type { Procedure } from '../procedure.js';
import { hostKey } from '../runs/host.js';
import { idList, lock } from '../store/dialect.js';
import { StoreUnavailableError } from '../store/errors.js';
import type { Database, JobRuleRow } from '../store/schema.js';
import { transact } from '../store/transact.js';
import { writeEntries } from './ledger.js';
import type { Reason } from './reasons.js';
import { JobRule } from './rule.js';
import { changedColumns, type RuleChanges, type RuleColumns } from './rule-changes.js';
import { UnknownRuleError } from './rule-named.js';
import { type ChangeWay, changeRule, type Signature, signChanges } from './rule-signature.js';
import { checkFollows, followedBy } from './run-after.js';
import { leftUndone, missedSince } from './unrun.js';

export type { RuleChanges } from './rule-changes.js';

/** What `sync` did, by the names of the rules. */
export interface SyncReport {
  readonly created: readonly string[];
  /** Their procedure is gone; they are kept, marked, and never run. */
  readonly removed: readonly string[];
  /** Their procedure came back. */
  readonly restored: readonly string[];
  /** They were cancelled since a run failed, and may try again. */
  readonly reactivated: readonly string[];
  /** The procedure suggests something else than before. */
  readonly changed: readonly string[];
}

/** How a rule comes to be rewritten. */
export interface Rewriting {
  readonly how: ChangeWay;
  /** Default: who acts. */
  readonly by?: string;
  /** In ms since 1970. Default: now, so that no change makes a rule run. */
  readonly dueAfter?: number;
}

export class Rules {
  readonly #db: Kysely<Database>;
  readonly #timezone: string;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #actor: string;

  /**
   * @param timezone the site's zone, for rules that name none
   * @param actor who acts: a worker's id, or the person at a command
   */
  constructor(db: Kysely<Database>, timezone: string, clock: Pick<Clock, 'now'>, actor: string) {
    this.#db = db;
    this.#timezone = timezone;
    this.#clock = clock;
    this.#actor = actor;
  }

  /** All rules in their order; those whose procedure is gone come last, and only when asked for. */
  async list({ removed = false } = {}): Promise<JobRule[]> {
    const rows = await this.#db
      .selectFrom('job_rules')
      .selectAll()
      .$if(!removed, (query) => query.where('removed_at', 'is', null))
      .orderBy('seqno')
      .orderBy('id')
      .execute();
    return rows.map((row) => this.parse(row));
  }

  /** How many rules have a procedure. */
  async count(): Promise<number> {
    const { count } = await this.#db
      .selectFrom('job_rules')
      .select((eb) => eb.fn.countAll().as('count'))
      .where('removed_at', 'is', null)
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** @throws UnknownRuleError (`LINOD_ERR_UNKNOWN_RULE`) */
  async get(id: number, db: Kysely<Database> = this.#db): Promise<JobRule> {
    const row = await db.selectFrom('job_rules').selectAll().where('id', '=', id).executeTakeFirst();
    return row === undefined ? await this.#refuse(id, db) : this.parse(row);
  }

  /**
   * Reads a rule that nobody else changes until the transaction ends, and whose due times and requests nobody else
   * claims: whatever is decided about a rule begins with this.
   *
   * @throws UnknownRuleError (`LINOD_ERR_UNKNOWN_RULE`)
   */
  async lock(id: number, tx: Kysely<Database>): Promise<JobRule> {
    return this.parse(await this.lockRow(id, tx));
  }

  /** The same as a row, for who rewrites it. */
  async lockRow(id: number, tx: Kysely<Database>): Promise<JobRuleRow> {
    const row = await tx
      .selectFrom('job_rules')
      .selectAll()
      .where('id', '=', id)
      .forNoKeyUpdate()
      .executeTakeFirst();
    return row ?? (await this.#refuse(id, tx));
  }

  async #refuse(id: number, db: Kysely<Database>): Promise<never> {
    const known = await db.selectFrom('job_rules').select('id').orderBy('id').execute();
    const numbers = known.map((rule) => rule.id).join(', ');
    throw new UnknownRuleError(
      id,
      `no job rule ${id}; ${numbers === '' ? 'there are none yet' : `there are ${numbers}`}`,
    );
  }

  /** Makes one more rule for a procedure, with all its suggestions. It is first due after now. */
  async create(procedure: Procedure, name?: string): Promise<JobRule> {
    return await transact(this.#db, async (tx) => {
      await lock(tx, 'rules');
      return await this.insert(tx, procedure, 'command', name);
    });
  }

  /**
   * Adjusts the rules to the procedures: a rule for each procedure that has none, rules of vanished procedures
   * marked, rules that failed reactivated, suggestions renewed. What a person overrode or cancelled stays so.
   */
  async sync(procedures: Iterable<Procedure>): Promise<SyncReport> {
    const all = new Map(Array.from(procedures, (procedure) => [procedure.name, procedure]));
    return await transact(this.#db, async (tx) => {
      // Two workers that start at once must not both make the rule that a procedure lacks.
      await lock(tx, 'rules');
      const known = await tx
        .selectFrom('job_rules')
        .select(['id', 'procedure'])
        .orderBy('seqno')
        .forNoKeyUpdate()
        .execute();
      const withRule = new Set(known.map(({ procedure }) => procedure));
      const report = { created: [], removed: [], restored: [], reactivated: [], changed: [] } as {
        [K in keyof SyncReport]: string[];
      };
      for (const procedure of all.values()) {
        if (withRule.has(procedure.name)) continue;
        report.created.push((await this.insert(tx, procedure, 'sync')).name);
      }
      // While no worker ran; which of the two it was is not known.
      await this.#realign(tx, 'the clock or the time zone changed');
      for await (const row of readRules(
        tx,
        known.map(({ id }) => id),
      )) {
        const did = await this.#adjust(tx, row, all.get(row.procedure));
        for (const kind of did) report[kind].push(row.name);
      }
      await this.#followAnew(tx);
      return report;
    });
  }

  /**
   * Changes fields of a rule. It is due next at the first time after now that the new fields give, so an edit never
   * makes a rule run.
   *
   * @throws UsageError (`LINOD_ERR_USAGE`), InvalidRecurrenceError (`LINOD_ERR_INVALID_RECURRENCE`), NotationError
   *   (`LINOD_ERR_NOTATION`)
   */
  async edit(id: number, changes: RuleChanges): Promise<JobRule> {
    return await transact(this.#db, async (tx) => {
      const row = await this.lockRow(id, tx);
      const columns = changedColumns(changes, this.parse(row), new Date(this.#clock.now()));
      await this.rewrite(tx, row, columns, { how: 'command' });
      const told = Object.entries(changes).map(([field, value]) =>
        value === null ? `${field} as suggested` : `${field} = ${JSON.stringify(value)}`,
      );
      await this.note(id, null, 'edited', `${told.join(', ')}, by ${this.#actor}`, tx);
      return await this.get(id, tx);
    });
  }

  /**
   * Writes columns of a rule that is locked, and works out when it is due next: after now, or after the time that is
   * given. Part of a transaction.
   *
   * @throws LinodError when what comes of it cannot be a rule
   */
  async rewrite(
    tx: Kysely<Database>,
    row: JobRuleRow,
    columns: RuleColumns,
    { how, by = this.#actor, dueAfter = this.#clock.now() }: Rewriting,
  ): Promise<void> {
    // Also of a rule that is not active now, lest it cannot be resumed; and before the database sees it.
    const rewritten = new JobRule({ ...row, ...columns }, this.#timezone);
    void rewritten.recurrence;
    await checkFollows(tx, rewritten);
    await this.#noteUndone(tx, row, 'edited', dueAfter);
    if (Object.keys(columns).length > 0) {
      await changeRule(tx, row.id, columns, { by, how, at: this.#clock.now() });
    }
    await this.#renewDue(tx, row.id, dueAfter);
  }

  /** Marks a rule cancelled: it is ignored until it is resumed. A run that goes on is not touched. */
  async cancel(id: number, reason = `by ${this.#actor}`): Promise<JobRule> {
    return await transact(this.#db, async (tx) => {
      await this.lock(id, tx);
      await this.#markCancelled(tx, id, 'person', reason);
      return await this.get(id, tx);
    });
  }

  /** Cancels a rule since a run of it failed. Part of the transaction that ends the run. */
  async cancelFailed(tx: Kysely<Database>, id: number, error: string): Promise<void> {
    await this.#markCancelled(tx, id, 'failure', `failed: ${error}`);
  }

  /** Cancels a rule that cannot be run as it is. The next set-up tries it again. */
  async cancelBroken(id: number, error: string): Promise<void> {
    await transact(this.#db, async (tx) => await this.cancelFailed(tx, id, error));
  }

  /** Takes the cancelling back. The rule is due next at its first time after now. */
  async resume(id: number): Promise<JobRule> {
    return await transact(this.#db, async (tx) => {
      const rule = await this.lock(id, tx);
      if (rule.cancelledAt === null) throw new UsageError(`job rule ${id} is not cancelled`);
      await this.#markActive(tx, id, 'command');
      await this.#noteMissed(tx, id, rule.cancelledAt, 'the rule was cancelled then');
      await this.note(id, null, 'resumed', `by ${this.#actor}`, tx);
      return await this.get(id, tx);
    });
  }

  /**
   * Works out anew when rules are due that are not due yet: after the clock was set back, or the site got another
   * time zone, what was worked out before is wrong.
   *
   * @param why for the ledger
   */
  async realign(why: string): Promise<void> {
    await transact(this.#db, async (tx) => await this.#realign(tx, why));
  }

  /** Writes a line of the ledger. */
  async note(
    ruleId: number,
    dueAt: number | null,
    reason: Reason,
    detail: string,
    db: Kysely<Database> = this.#db,
  ): Promise<void> {
    await db
      .insertInto('decisions')
      .values({
        rule_id: ruleId,
        due_at: dueAt,
        decided_at: this.#clock.now(),
        worker_id: this.#actor,
        reason,
        detail,
      })
      .execute();
  }

  /** Counts the failures of a rule in a row. */
  async setFailuresInRow(tx: Kysely<Database>, id: number, failures: number): Promise<void> {
    await this.#set(tx, id, { failures_in_row: failures });
  }

  /** A run went well: the next failure is the first in a row. Writes nothing where the last did, too. */
  async forgetFailures(tx: Kysely<Database>, id: number): Promise<void> {
    await tx
      .updateTable('job_rules')
      .set({ failures_in_row: 0 })
      .where('id', '=', id)
      .where('failures_in_row', '>', 0)
      .execute();
  }

  /**
   * A row as a rule. What is wrong with the row is thrown when somebody asks when the rule is due.
   *
   * @param before the rule as it was read before: where nobody has changed it, it is due at the same times
   */
  parse(row: JobRuleRow, before?: JobRule): JobRule {
    return new JobRule(row, this.#timezone, before);
  }

  /** Makes a rule, which is first due after now. Part of a transaction that has the lock of the rules. */
  async insert(
    tx: Kysely<Database>,
    procedure: Procedure,
    how: ChangeWay,
    name = procedure.name,
  ): Promise<JobRule> {
    const last = await tx
      .selectFrom('job_rules')
      .select((eb) => eb.fn.max('seqno').as('seqno'))
      .executeTakeFirst();
    const now = this.#clock.now();
    const { id } = await tx
      .insertInto('job_rules')
      .values({
        seqno: (last?.seqno ?? 0) + 1,
        name,
        procedure: procedure.name,
        suggestion: JSON.stringify(procedure.suggestion),
        created_at: now,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await signChanges(tx, id, -1, this.#signature(how));
    // From the same instant on, lest a due time lies between the two and is never told of.
    await this.#renewDue(tx, id, now);
    return await this.get(id, tx);
  }

  async #adjust(
    tx: Kysely<Database>,
    row: JobRuleRow,
    procedure: Procedure | undefined,
  ): Promise<Array<Exclude<keyof SyncReport, 'created'>>> {
    const rule = this.parse(row);
    if (procedure === undefined) {
      if (rule.removedAt !== null) return [];
      await this.#noteUndone(tx, row, 'removed');
      await this.#forgetTold(tx, rule.id);
      const gone = { removed_at: this.#clock.now(), next_due_at: null };
      await changeRule(tx, rule.id, gone, this.#signature('sync'));
      await this.note(rule.id, null, 'removed', `no procedure ${rule.procedure} is registered`, tx);
      return ['removed'];
    }
    const did: Array<'restored' | 'reactivated' | 'changed'> = [];
    const suggestion = JSON.stringify(procedure.suggestion);
    if (rule.removedAt !== null) did.push('restored');
    if (rule.cancelledBy === 'failure') did.push('reactivated');
    if (!isDeepStrictEqual(procedure.suggestion, rule.suggestion)) did.push('changed');
    if (did.length === 0) return did;
    await this.#noteUndone(tx, row, 'changed by a new version of the procedure');
    await changeRule(tx, rule.id, { removed_at: null, suggestion }, this.#signature('sync'));
    try {
      if (did.includes('reactivated')) await this.#markActive(tx, rule.id, 'sync');
      else await this.#renewDue(tx, rule.id);
      await this.#noteMissedOf(tx, rule);
    } catch (error) {
      // A new suggestion and an old override need not fit together. That is no reason to stop the others.
      if (!isFaultOfRule(error)) throw error;
      await this.cancelFailed(tx, rule.id, error.message);
    }
    if (did.includes('reactivated') || did.includes('restored')) {
      await this.note(rule.id, null, 'reactivated', did.join(' and '), tx);
    }
    return did;
  }

  /** A rule may have been made after the one that follows it. */
  async #followAnew(tx: Kysely<Database>): Promise<void> {
    const rules = await tx.selectFrom('job_rules').select('id').where('removed_at', 'is', null).execute();
    for await (const row of readRules(
      tx,
      rules.map(({ id }) => id),
    )) {
      const follows = await followedBy(tx, this.parse(row));
      if (follows !== row.follows_rule_id) await this.#set(tx, row.id, { follows_rule_id: follows });
    }
  }

  async #realign(tx: Kysely<Database>, why: string): Promise<void> {
    const rules = await tx
      .selectFrom('job_rules')
      .select(['id', 'next_due_at'])
      .where('next_due_at', 'is not', null)
      .orderBy('id')
      .forNoKeyUpdate()
      .execute();
    // Only now: another worker may have had some of them until a moment ago, and run what was due meanwhile.
    const now = this.#clock.now();
    const ahead = rules.filter((rule) => (rule.next_due_at ?? now) > now);
    for await (const row of readRules(
      tx,
      ahead.map(({ id }) => id),
    )) {
      const rule = this.parse(row);
      const due = dueAfter(rule, now);
      if (due === undefined || due?.getTime() === rule.nextDueAt?.getTime()) continue;
      await this.#set(tx, rule.id, { next_due_at: due === null ? null : due.getTime() });
      await this.#tellAnew(tx, rule, now, due);
      const [from, to] = [rule.nextDueAt, due].map((time) =>
        time === null ? 'never' : rule.localTime(time),
      );
      await this.note(rule.id, null, 'moved', `from ${from} to ${to}: ${why}`, tx);
    }
  }

  async #markCancelled(
    tx: Kysely<Database>,
    id: number,
    by: 'person' | 'failure',
    reason: string,
  ): Promise<void> {
    await this.#forgetTold(tx, id);
    const columns = {
      cancelled_at: this.#clock.now(),
      cancelled_by: by,
      cancelled_reason: reason,
      next_due_at: null,
    };
    const row = await tx.selectFrom('job_rules').selectAll().where('id', '=', id).executeTakeFirst();
    if (row !== undefined) await this.#noteUndone(tx, row, 'cancelled');
    await changeRule(tx, id, columns, this.#signature(by === 'person' ? 'command' : by));
    await this.note(id, null, 'cancelled', reason, tx);
  }

  async #markActive(tx: Kysely<Database>, id: number, how: ChangeWay): Promise<void> {
    const columns = { cancelled_at: null, cancelled_by: null, cancelled_reason: null };
    await changeRule(tx, id, columns, this.#signature(how));
    // It begins anew; else its next failure would be the last one allowed, whatever is allowed.
    await this.setFailuresInRow(tx, id, 0);
    await this.#renewDue(tx, id);
  }

  /** Tells of what was due, and will not be run since the rule changes. */
  async #noteUndone(
    tx: Kysely<Database>,
    row: JobRuleRow,
    what: string,
    until = this.#clock.now(),
  ): Promise<void> {
    const entries = leftUndone(row, (read) => this.parse(read), { until, what });
    await writeEntries(tx, entries, { by: this.#actor, at: this.#clock.now() });
  }

  /** Tells of what was due while the rule was not active. */
  async #noteMissed(tx: Kysely<Database>, id: number, since: Date, why: string): Promise<void> {
    const now = this.#clock.now();
    const entries = missedSince(await this.get(id, tx), since, { now, why });
    await writeEntries(tx, entries, { by: this.#actor, at: now });
  }

  /** The same for a rule that the set-up has made active again. */
  async #noteMissedOf(tx: Kysely<Database>, before: JobRule): Promise<void> {
    const { id, removedAt, cancelledAt, procedure } = before;
    if (removedAt !== null) {
      await this.#noteMissed(tx, id, removedAt, `no procedure ${procedure} was registered then`);
    } else if (cancelledAt !== null) {
      await this.#noteMissed(tx, id, cancelledAt, 'the rule was cancelled then');
    }
  }

  async #renewDue(tx: Kysely<Database>, id: number, since = this.#clock.now()): Promise<void> {
    const rule = await this.get(id, tx);
    const { priority, group, runIn, memoryMb } = rule.policies;
    const due = rule.dueAfter(new Date(since));
    await this.#tellAnew(tx, rule, since, due);
    await this.#set(tx, id, {
      next_due_at: due === null ? null : due.getTime(),
      due_priority: priority,
      due_group: group,
      due_host: runIn === 'inline' ? '' : hostKey({ kind: runIn, memoryMb }),
      follows_rule_id: await followedBy(tx, rule),
    });
  }

  /** What the ledger says of times to come was said of the rule as it was. */
  async #tellAnew(tx: Kysely<Database>, rule: JobRule, since: number, due: Date | null): Promise<void> {
    await this.#forgetTold(tx, rule.id);
    if (due === null) return;
    const notes = rule.notesBetween(since, due.getTime());
    await writeEntries(
      tx,
      notes.map((note) => ({ ...note, ruleId: rule.id })),
      { by: this.#actor, at: this.#clock.now() },
    );
  }

  async #forgetTold(tx: Kysely<Database>, id: number): Promise<void> {
    await tx
      .deleteFrom('decisions')
      .where('rule_id', '=', id)
      .where('due_at', '>', this.#clock.now())
      .whereRef('decided_at', '<', 'due_at')
      .where('reason', 'in', ['skipped', 'moved'])
      .execute();
  }

  #signature(how: ChangeWay): Signature {
    return { by: this.#actor, how, at: this.#clock.now() };
  }

  /** For what follows from a rule, and is no change of it. */
  async #set(tx: Kysely<Database>, id: number, columns: Partial<Omit<JobRuleRow, 'id'>>): Promise<void> {
    await tx.updateTable('job_rules').set(columns).where('id', '=', id).execute();
  }
}

/** So many rules are in memory at once while all of them are gone through. */
const rulesAtOnce = 200;

/** The rules of these numbers, in their order, a few at a time: there may be thousands. */
async function* readRules(tx: Kysely<Database>, ids: readonly number[]): AsyncGenerator<JobRuleRow> {
  for (let i = 0; i < ids.length; i += rulesAtOnce) {
    const some = ids.slice(i, i + rulesAtOnce);
    const rows = await tx.selectFrom('job_rules').selectAll().where('id', 'in', idList(tx, some)).execute();
    const byId = new Map(rows.map((row) => [row.id, row]));
    for (const id of some) {
      const row = byId.get(id);
      if (row !== undefined) yield row;
    }
  }
}

/** Whether it is what is written in a rule that cannot be, and neither the program's fault nor the database's. */
export function isFaultOfRule(error: unknown): error is LinodError {
  return error instanceof LinodError && !(error instanceof StoreUnavailableError);
}

/** When a rule is due; undefined where that cannot be told, which its next set-up or run will deal with. */
function dueAfter(rule: JobRule, now: number): Date | null | undefined {
  try {
    return rule.dueAfter(new Date(now));
  } catch (error) {
    if (error instanceof LinodError) return undefined;
    throw error;
  }
}
