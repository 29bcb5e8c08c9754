// The rules of a site, as people and workers read and change them.

import { UsageError } from '../base/errors.js';
import { lock } from '../store/dialect.js';
import { transact } from '../store/transact.js';
import { changedColumns, type RuleChanges } from './changes/edit.js';
import type { Procedure } from './procedure.js';
import type { JobRule } from './rule.js';
import { RuleTable } from './rule-table.js';
import { readRules, realignRules, type SyncReport, syncRules } from './rules-sync.js';

export type { RuleChanges } from './changes/edit.js';
export type { SyncReport } from './rules-sync.js';

const resumed = { cancelled_at: null, cancelled_by: null, cancelled_reason: null } as const;

export class Rules extends RuleTable {
  /** All rules in their order; those whose procedure is gone come last, and only when asked for. */
  async list({ removed = false } = {}): Promise<JobRule[]> {
    const rows = await this.db
      .selectFrom('job_rules')
      .selectAll()
      .$if(!removed, (query) => query.where('removed_at', 'is', null))
      .orderBy('seqno')
      .orderBy('id')
      .execute();
    return rows.map((row) => this.parse(row));
  }

  /** The same one by one, of which only some are in memory at once. */
  async *each({ removed = false } = {}): AsyncGenerator<JobRule> {
    const rows = await this.db
      .selectFrom('job_rules')
      .select('id')
      .$if(!removed, (query) => query.where('removed_at', 'is', null))
      .orderBy('seqno')
      .orderBy('id')
      .execute();
    const ids = rows.map(({ id }) => id);
    for await (const row of readRules(this.db, ids)) yield this.parse(row);
  }

  /** How many rules have a procedure. */
  async count(): Promise<number> {
    const { count } = await this.db
      .selectFrom('job_rules')
      .select((eb) => eb.fn.countAll().as('count'))
      .where('removed_at', 'is', null)
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** Makes one more rule for a procedure, with all its suggestions. It is first due after now. */
  async create(procedure: Procedure, name?: string): Promise<JobRule> {
    return await transact(this.db, async (tx) => {
      await lock(tx, 'rules');
      return await this.get(await this.insert(tx, procedure, 'command', name), tx);
    });
  }

  /**
   * Adjusts the rules to the procedures: a rule for each procedure that has none, rules of procedures that
   * neither these are nor a living worker has marked, rules that failed reactivated, suggestions renewed.
   * What a person overrode or cancelled stays so.
   *
   * @param isComplete whether these are all procedures; if a file of them could not be loaded, none has
   * vanished
   */
  async sync(procedures: Iterable<Procedure>, { isComplete = true } = {}): Promise<SyncReport> {
    return await transact(this.db, async (tx) => {
      // Two workers that start at once must not both make the rule that a procedure lacks.
      await lock(tx, 'rules');
      return await syncRules(tx, this, procedures, isComplete);
    });
  }

  /**
   * Works out anew when rules are due that are not due yet: after the clock was set back, or the site got
   * another time zone, what was worked out before is wrong.
   *
   * @param why for the ledger
   */
  async realign(why: string): Promise<void> {
    await transact(this.db, async (tx) => await realignRules(tx, this, why));
  }

  /**
   * Changes fields of a rule. It is due next at the first time after now that the new fields give, so an edit
   * never makes a rule run.
   *
   * @throws UsageError (`LINOD_ERR_USAGE`), InvalidRecurrenceError (`LINOD_ERR_INVALID_RECURRENCE`),
   * NotationError
   *   (`LINOD_ERR_NOTATION`)
   */
  async edit(id: number, changes: RuleChanges): Promise<JobRule> {
    return await transact(this.db, async (tx) => {
      const row = await this.lockRow(id, tx);
      const columns = changedColumns(changes, this.parse(row), new Date(this.clock.now()));
      await this.rewrite(tx, row, columns, { how: 'command' });
      const changed = Object.entries(changes).map(([field, value]) =>
        value === null ? `${field} as suggested` : `${field} = ${JSON.stringify(value)}`,
      );
      await this.note(id, 'edited', `${changed.join(', ')}, by ${this.actor}`, tx);
      return await this.get(id, tx);
    });
  }

  /** A rule as {@link edit} would make it. Nothing is written. @throws as {@link edit} */
  async preview(id: number, changes: RuleChanges): Promise<JobRule> {
    const row = await this.row(id);
    const columns = changedColumns(changes, this.parse(row), new Date(this.clock.now()));
    return await this.checked(this.db, row, columns);
  }

  /**
   * Marks a rule cancelled: it is ignored until it is resumed. A run that goes on is not touched. One that a
   * failure has cancelled is not taken up by the next set-up then.
   *
   * @throws UsageError (`LINOD_ERR_USAGE`) when a person has cancelled it before
   */
  async cancel(id: number, reason = `by ${this.actor}`): Promise<JobRule> {
    return await transact(this.db, async (tx) => {
      const { cancelledBy } = await this.lock(id, tx);
      if (cancelledBy === 'person') throw new UsageError(`job rule ${id} is cancelled already`);
      await this.markCancelled(tx, id, 'person', reason);
      return await this.get(id, tx);
    });
  }

  /**
   * Sets how many of the next runs log at DEBUG. This is no change of the rule: it is over with those runs.
   *
   * @param runs 0 takes it back
   */
  async debugNext(id: number, runs: number): Promise<JobRule> {
    return await transact(this.db, async (tx) => {
      await this.lockRow(id, tx);
      await this.set(tx, id, { debug_runs: runs });
      return await this.get(id, tx);
    });
  }

  /** Takes the cancelling back. The rule is due next at its first time after now. */
  async resume(id: number): Promise<JobRule> {
    return await transact(this.db, async (tx) => {
      const row = await this.lockRow(id, tx);
      if (row.cancelled_at === null) throw new UsageError(`job rule ${id} is not cancelled`);
      // It begins anew; else its next failure would be the last one allowed, whatever is allowed.
      await this.set(tx, id, { failures_in_row: 0 });
      await this.change(tx, row, resumed, { how: 'command', what: 'resumed' });
      await this.note(id, 'resumed', `by ${this.actor}`, tx);
      return await this.get(id, tx);
    });
  }
}
