// The rules as the claims read them: thousands of times over, and seldom another than before.

import type { Kysely } from 'kysely';
import { idList } from '../store/dialect.js';
import { PreparedQuery } from '../store/prepared.js';
import type { Database, JobRuleRow } from '../store/schema.js';
import type { JobRule } from './rule.js';
import type { Rules } from './rules.js';

/** A rule that nobody else claims or changes until the transaction ends. */
export interface LockedRule {
  readonly rule: JobRule;
  /** When it is due, in ms since 1970. The rule itself may have been read before, and say what was true then. */
  readonly dueAt: number | null;
}

/** Rules that were locked, by their numbers. */
export type LockedRules = ReadonlyMap<number, LockedRule>;

/** So many rules are remembered; the memory of a worker must not grow with rules that come and go. */
const maxKnown = 20_000;

const lockedStates = new PreparedQuery<
  { ids: string },
  Pick<JobRuleRow, 'id' | 'revision' | 'next_due_at' | 'failures_in_row'>
>((db, value) =>
  db
    .selectFrom('job_rules')
    .select(['id', 'revision', 'next_due_at', 'failures_in_row'])
    .where('id', 'in', idList(db, value('ids')))
    // Always in the same order, so that no two workers wait for one another.
    .orderBy('id')
    .forNoKeyUpdate(),
);

export class KnownRules {
  readonly #rules: Rules;
  /** Only what was read under a lock, and so was not taken back afterwards. */
  readonly #known = new Map<number, JobRule>();

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** Locks rules, and reads those that were changed since they were read before. */
  async lock(ids: readonly number[], tx: Kysely<Database>): Promise<LockedRules> {
    const states = await lockedStates.rows(tx, { ids: JSON.stringify(ids) });
    const changed = states.filter(({ id, revision, failures_in_row: failures }) => {
      const known = this.#known.get(id);
      return known?.revision !== revision || known.failuresInRow !== failures;
    });
    await this.#read(
      changed.map(({ id }) => id),
      tx,
    );
    const rules = new Map<number, LockedRule>();
    for (const { id, next_due_at: dueAt } of states) {
      const rule = this.#known.get(id);
      if (rule !== undefined) rules.set(id, { rule, dueAt });
    }
    return rules;
  }

  async #read(ids: readonly number[], tx: Kysely<Database>): Promise<void> {
    if (ids.length === 0) return;
    const rows = await tx.selectFrom('job_rules').selectAll().where('id', 'in', idList(tx, ids)).execute();
    if (this.#known.size + rows.length > maxKnown) this.#known.clear();
    for (const row of rows) this.#known.set(row.id, this.#rules.parse(row));
  }
}
