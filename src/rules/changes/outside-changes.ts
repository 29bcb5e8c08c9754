// Changes that were made in the database itself, with whatever program: noticed, checked, and taken over.

import type { Kysely } from 'kysely';
import type { Logger } from '../../log/logger.js';
import type { Database, JobRuleRow, RuleChangeRow } from '../../store/schema.js';
import { transact } from '../../store/transact.js';
import { isFaultOfRule } from '../rule.js';
import type { RuleColumns } from '../rule-fields.js';
import type { Rules } from '../site-rules.js';
import { changesText, fieldChanges, noteChanges } from './field-changes.js';
import { columnsBefore } from './rule-history.js';

/** The result for one rule that was changed in the database. */
interface Adopted {
  readonly summary: string;
  /** Why the change cancels the rule; null for a valid change. */
  readonly error: Error | null;
}

export class OutsideChanges {
  readonly #rules: Rules;
  readonly #logger: Logger;

  constructor(rules: Rules, logger: Logger) {
    this.#rules = rules;
    this.#logger = logger;
  }

  /**
   * Applies the changes that were made in the database since the last poll: computes the due times again, as
   * an edit does, and cancels rules that became invalid.
   *
   * @returns whether there were changes
   */
  async adoptAll(): Promise<boolean> {
    const changed = await this.#rules.db
      .selectFrom('rule_changes')
      .select('rule_id')
      .distinct()
      .where('how', 'is', null)
      .orderBy('rule_id')
      .execute();
    for (const { rule_id: id } of changed) {
      const adopted = await transact(this.#rules.db, async (tx) => await this.#adopt(tx, id));
      if (adopted !== null) this.#log(id, adopted);
    }
    return changed.length > 0;
  }

  async #adopt(tx: Kysely<Database>, id: number): Promise<Adopted | null> {
    const row = await tx
      .selectFrom('job_rules')
      .selectAll()
      .where('id', '=', id)
      .forNoKeyUpdate()
      .executeTakeFirst();
    const changes = await this.#sign(tx, id);
    // Another worker was faster, or the rule was deleted.
    const last = changes.at(-1);
    if (row === undefined || last === undefined) return null;
    const by = last.changed_by ?? somebody;
    const fields = fieldChanges(changes);
    await noteChanges(tx, this.#rules, id, fields, `in the database by ${by}`);
    const summary = changesText(fields);
    try {
      await this.#rules.rewrite(tx, row, cancellation(row), {
        how: 'database',
        by,
        dueAfter: Math.min(last.changed_at, this.#rules.clock.now()),
        before: { ...row, ...columnsBefore(changes.filter(({ field }) => field !== 'created')) },
      });
      await this.#join(tx, row, last.revision);
      return { summary, error: null };
    } catch (error) {
      if (!isFaultOfRule(error)) throw error;
      if (row.cancelled_at === null) await this.#rules.cancelFailed(tx, id, error.message);
      return { summary, error };
    }
  }

  /** @returns the unsigned changes, in their order */
  async #sign(tx: Kysely<Database>, id: number): Promise<RuleChangeRow[]> {
    const rows = await tx
      .updateTable('rule_changes')
      .set((eb) => ({ how: 'database', changed_by: eb.fn.coalesce('changed_by', eb.val(somebody)) }))
      .where('rule_id', '=', id)
      .where('how', 'is', null)
      .returningAll()
      .execute();
    return rows.sort((a, b) => a.id - b.id);
  }

  /** Signs what was written to complete a change, too. */
  async #join(tx: Kysely<Database>, before: JobRuleRow, revision: number): Promise<void> {
    await tx
      .updateTable('rule_changes')
      .set({ revision })
      .where('rule_id', '=', before.id)
      .where('revision', '>', before.revision)
      .execute();
  }

  #log(id: number, { summary, error }: Adopted): void {
    const what = `job rule ${id} was changed in the database: ${summary}`;
    if (error === null) this.#logger.info(what, { rule: id });
    else this.#logger.error(`${what}; it cannot be run so: ${error.message}`, { rule: id });
  }
}

/** The user of a change in a SQLite file, which knows no users. */
const somebody = 'somebody';

/** Completes the three columns of a cancellation, when a person has set only one of them. */
function cancellation(row: JobRuleRow): RuleColumns {
  if (row.cancelled_at === null) {
    const isClean = row.cancelled_by === null && row.cancelled_reason === null;
    return isClean ? {} : { cancelled_by: null, cancelled_reason: null };
  }
  if (row.cancelled_by === 'person' || row.cancelled_by === 'failure') return {};
  return { cancelled_by: 'person', cancelled_reason: row.cancelled_reason ?? 'in the database' };
}
