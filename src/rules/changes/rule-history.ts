// The history of the rules: who changed what, when and how; and taking changes back.
//
// Triggers write it (store/migrations/triggers.ts), so that none is missing. Whoever changes a rule here
// signs what they wrote. What nobody has signed was changed in the database itself: see outside-changes.ts.

import { UsageError } from '../../base/errors.js';
import type { RuleChangeRow } from '../../store/schema.js';
import { transact } from '../../store/transact.js';
import type { JobRule } from '../rule.js';
import { columnFromText, type RuleColumns } from '../rule-fields.js';
import type { RuleTable } from '../rule-table.js';
import { changesSince, type FieldChange, fieldChanges, noteChanges } from './field-changes.js';
import type { ChangeWay } from './sign-changes.js';

/** One change of a rule. */
export interface RuleRevision {
  readonly rule: number;
  /** Counts the changes of the rule; 0 is its creation. */
  readonly revision: number;
  readonly at: Date;
  /** The person or the worker; null where the database does not know. */
  readonly by: string | null;
  readonly how: ChangeWay;
  readonly changes: readonly FieldChange[];
}

/**
 * What a person did, and so may want to take back. What follows from a procedure or a failure would only come
 * again.
 */
export const undoable: ReadonlySet<ChangeWay> = new Set(['command', 'apply', 'undo', 'database']);

/** What belongs to the procedure, not to the person. */
const notUndone: ReadonlySet<string> = new Set(['created', 'suggestion', 'removed_at', 'created_at']);

export class RuleHistory {
  readonly #rules: RuleTable;

  constructor(rules: RuleTable) {
    this.#rules = rules;
  }

  /**
   * All changes of a rule, the oldest first.
   *
   * @throws UnknownRuleError (`LINOD_ERR_UNKNOWN_RULE`)
   */
  async list(id: number): Promise<RuleRevision[]> {
    await this.#rules.get(id);
    const rows = await changesSince(this.#rules.db, id);
    const firsts = rows.filter(({ revision }, i) => revision !== rows[i - 1]?.revision);
    return firsts.map(({ rule_id: rule, revision, changed_at, changed_by: by, how }) => ({
      rule,
      revision,
      at: new Date(changed_at),
      by,
      how: wayOf(how),
      changes: fieldChanges(rows.filter((row) => row.revision === revision)),
    }));
  }

  /**
   * Takes the last change that a person made back, or all that were made from a revision on: their fields are
   * as they were before. That is a change like any other, so who takes it back has the first again. Like an
   * edit, it never makes the rule run.
   *
   * @throws UsageError (`LINOD_ERR_USAGE`) when there is nothing to take back
   */
  async undo(id: number, since?: number): Promise<JobRule> {
    return await transact(this.#rules.db, async (tx) => {
      const row = await this.#rules.lockRow(id, tx);
      const done = (await changesSince(tx, id)).filter(
        ({ how, field }) => undoable.has(wayOf(how)) && !notUndone.has(field),
      );
      const from = since ?? done.at(-1)?.revision;
      const taken = done.filter(({ revision }) => from !== undefined && revision >= from);
      if (from === undefined || taken.length === 0) throw nothingToUndo(id, done, since);
      const columns = columnsBefore(taken);
      await this.#rules.rewrite(tx, row, columns, { how: 'undo' });
      const changed = await changesSince(tx, id, row.revision);
      if (changed.length === 0)
        throw new UsageError(`job rule ${id} is already as it was before change ${from}`);
      const suffix = `since change ${from} was undone by ${this.#rules.actor}`;
      await noteChanges(tx, this.#rules, id, fieldChanges(changed), suffix);
      return await this.#rules.get(id, tx);
    });
  }
}

function wayOf(how: string | null): ChangeWay {
  return (how ?? 'database') as ChangeWay;
}

/** The columns as they were before the first of the changes, which are in their order. */
export function columnsBefore(changes: readonly RuleChangeRow[]): RuleColumns {
  const newestFirst = changes.toReversed();
  const before = newestFirst.map(({ field, value_before: text }) => [field, columnFromText(field, text)]);
  return Object.fromEntries(before) as RuleColumns;
}

function nothingToUndo(id: number, done: readonly RuleChangeRow[], since: number | undefined): UsageError {
  const numbers = [...new Set(done.map(({ revision }) => revision))].join(', ');
  if (numbers === '') return new UsageError(`nobody has changed job rule ${id}, so there is nothing to undo`);
  return new UsageError(
    `there is no change of job rule ${id} from ${String(since)} on that can be undone; there are ${numbers}`,
  );
}
