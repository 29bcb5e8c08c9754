// What a file of rules would change, and changing it: all of it in one transaction, or nothing.
//
// The plan comes from applying the file and rolling back, so it shows exactly what applying does.

import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Kysely } from 'kysely';
import type { ChoiceList } from '../../base/choices.js';
import { LinodError, suggestion as nearest } from '../../base/errors.js';
import { lock } from '../../store/dialect.js';
import type { Database, JobRuleRow } from '../../store/schema.js';
import { transact } from '../../store/transact.js';
import type { Procedure } from '../procedure.js';
import { isFaultOfRule, type JobRule } from '../rule.js';
import { type RuleColumns, ruleFields } from '../rule-fields.js';
import type { Rules } from '../site-rules.js';
import { changedColumns, type RuleChanges } from './edit.js';
import { changesSince, type FieldChange, fieldChanges, noteChanges } from './field-changes.js';
import { BadRulesFileError, type RuleEntry, type RulesFile } from './rules-file.js';

/** What happens to one rule. */
export interface PlannedRule {
  readonly rule: number;
  readonly name: string;
  readonly procedure: string;
  readonly kind: 'create' | 'change';
  readonly changes: readonly FieldChange[];
  readonly nextRunBefore: Date | null;
  readonly nextRunAfter: Date | null;
  /** The zone of the rule. */
  readonly timezone: string;
}

export interface RulesPlan {
  /** Short for what is changed, from what to what: the same plan has the same. */
  readonly digest: string;
  /** In the order of the file; without rules that stay as they are. */
  readonly rules: readonly PlannedRule[];
  readonly unchanged: number;
  /** The names of rules that the file says nothing of. They stay as they are. */
  readonly notInFile: readonly string[];
}

/** What would be changed is not what the plan said: somebody has changed the rules or the file since. */
export class StalePlanError extends LinodError {
  constructor(expected: string, { digest }: RulesPlan) {
    super(
      'LINOD_ERR_STALE_PLAN',
      `the rules or the file have changed since plan ${expected} was made: now it is plan ${digest}; nothing was applied, look at it with linod rules plan`,
    );
  }
}

export class RulesPlans {
  readonly #rules: Rules;
  readonly #procedures: ChoiceList<Procedure>;

  /** @param procedures those of which rules can be made */
  constructor(rules: Rules, procedures: ChoiceList<Procedure>) {
    this.#rules = rules;
    this.#procedures = procedures;
  }

  /**
   * Lists what a file would change. Nothing is changed.
   *
   * @param source what the file is called in messages
   * @throws BadRulesFileError (`LINOD_ERR_BAD_RULES_FILE`) with all that is wrong
   */
  async plan(file: RulesFile, source: string): Promise<RulesPlan> {
    try {
      return await transact(this.#rules.db, async (tx) => {
        throw new TakenBack(await this.#carryOut(tx, file, source));
      });
    } catch (error) {
      if (error instanceof TakenBack) return error.plan;
      throw error;
    }
  }

  /**
   * Changes the rules to what the file says. No rule is run by it.
   *
   * @param expected the digest of the plan to apply; any plan when omitted
   * @returns what was changed
   * @throws BadRulesFileError (`LINOD_ERR_BAD_RULES_FILE`), StalePlanError (`LINOD_ERR_STALE_PLAN`); nothing
   * is changed then
   */
  async apply(file: RulesFile, source: string, expected?: string): Promise<RulesPlan> {
    return await transact(this.#rules.db, async (tx) => {
      const plan = await this.#carryOut(tx, file, source);
      if (expected !== undefined && plan.digest !== expected) throw new StalePlanError(expected, plan);
      return plan;
    });
  }

  async #carryOut(tx: Kysely<Database>, file: RulesFile, source: string): Promise<RulesPlan> {
    await lock(tx, 'rules');
    const rows = await tx.selectFrom('job_rules').selectAll().orderBy('id').forNoKeyUpdate().execute();
    const steps: Step[] = [];
    const problems: string[] = [];
    for (const [i, entry] of file.rules.entries()) {
      const location = `rules[${i}] (${entry.name})`;
      const found = match(entry, rows, this.#procedures);
      const before = steps.find((step) => isSame(step, entry, found));
      if (typeof found === 'string') problems.push(`${location}: ${found}`);
      else if (before !== undefined) problems.push(`${location}: it is the same rule as ${before.location}`);
      else if ('row' in found) steps.push({ location, entry, row: found.row, isNew: false });
      else {
        const id = await this.#rules.insert(tx, found.procedure, 'apply', entry.name);
        steps.push({ location, entry, row: await this.#rules.lockRow(id, tx), isNew: true });
      }
    }
    if (problems.length > 0) throw new BadRulesFileError(source, problems);
    await this.#changeAll(tx, steps, source);
    const planned = await this.#planned(tx, steps);
    const named = new Set(steps.map(({ row }) => row.id));
    return {
      digest: digestOf(planned),
      rules: planned,
      unchanged: steps.length - planned.length,
      notInFile: rows.filter((row) => row.removed_at === null && !named.has(row.id)).map((row) => row.name),
    };
  }

  /** In whatever order they can be: a rule may run after one that comes later in the file. */
  async #changeAll(tx: Kysely<Database>, steps: readonly Step[], source: string): Promise<void> {
    for (let waiting = steps; waiting.length > 0; ) {
      const problems: string[] = [];
      const failed: Step[] = [];
      for (const step of waiting) {
        try {
          await this.#change(tx, step);
        } catch (error) {
          if (!isFaultOfRule(error)) throw error;
          failed.push(step);
          problems.push(`${step.location}: ${error.message}`);
        }
      }
      if (failed.length === waiting.length) throw new BadRulesFileError(source, problems);
      waiting = failed;
    }
  }

  async #change(tx: Kysely<Database>, { entry, row }: Step): Promise<void> {
    const { clock, actor } = this.#rules;
    const rule = this.#rules.parse(row);
    const changes = changesOf(entry, rule);
    const isEdited = Object.keys(changes).length > 0;
    const columns: RuleColumns = {
      ...(isEdited ? changedColumns(changes, rule, new Date(clock.now())) : {}),
      ...cancellation(entry, rule, { at: clock.now(), by: actor }),
    };
    if (Object.keys(columns).length > 0) await this.#rules.rewrite(tx, row, columns, { how: 'apply' });
  }

  /** The changes to the rules, which the ledger also records. */
  async #planned(tx: Kysely<Database>, steps: readonly Step[]): Promise<PlannedRule[]> {
    const rules = this.#rules;
    const planned: PlannedRule[] = [];
    for (const { row, isNew } of steps) {
      const changes = fieldChanges(await changesSince(tx, row.id, isNew ? -1 : row.revision));
      if (changes.length === 0) continue;
      const { id, name, procedure, nextDueAt, timezone } = await rules.get(row.id, tx);
      await noteChanges(tx, rules, id, changes, `applied by ${rules.actor}`);
      planned.push({
        rule: id,
        name,
        procedure,
        kind: isNew ? 'create' : 'change',
        changes,
        nextRunBefore: isNew ? null : rules.parse(row).nextDueAt,
        nextRunAfter: nextDueAt,
        timezone,
      });
    }
    return planned;
  }
}

/** Ends the transaction of a plan, so that nothing of it stays. */
class TakenBack extends Error {
  readonly plan: RulesPlan;

  constructor(plan: RulesPlan) {
    super('taken back');
    this.plan = plan;
  }
}

/** A rule that is there now, and what is to become of it. */
interface Step {
  /** Of the entry in the file. */
  readonly location: string;
  readonly entry: RuleEntry;
  readonly row: JobRuleRow;
  readonly isNew: boolean;
}

/**
 * The rule that an entry means, or the procedure of which one is to be made; or what is wrong, as a clause.
 */
type Match = { readonly row: JobRuleRow } | { readonly procedure: Procedure } | string;

/** Whether an entry means the same rule as one before it. */
function isSame({ row, isNew, entry: other }: Step, entry: RuleEntry, found: Match): boolean {
  if (typeof found === 'string') return false;
  if ('row' in found) return row.id === found.row.id;
  return isNew && other.name === entry.name && row.procedure === found.procedure.name;
}

function match(
  { name, procedure, number }: RuleEntry,
  rows: readonly JobRuleRow[],
  procedures: ChoiceList<Procedure>,
): Match {
  const isMeant = (row: JobRuleRow) =>
    (number === undefined ? row.name === name : row.id === number) &&
    (procedure === undefined || row.procedure === procedure);
  const all = rows.filter(isMeant);
  const [row, ...others] = all.filter((candidate) => candidate.removed_at === null);
  if (others.length > 0) {
    const numbers = all.map(({ id }) => id).join(', ');
    return `there are several rules of this name: ${numbers}; say which one with "number"`;
  }
  if (row !== undefined) return { row };
  if (number !== undefined)
    return `there is no rule ${number}${procedure === undefined ? '' : ` of procedure ${procedure}`}`;
  const [removed] = all;
  if (removed !== undefined) return `its procedure ${removed.procedure} is not registered any more`;
  const found = procedures.get(procedure ?? name);
  if (found !== undefined) return { procedure: found };
  const known = [...rows.map((other) => other.name), ...Array.from(procedures, (choice) => choice.value)];
  const wanted = procedure ?? name;
  return `there is no rule of this name, and no procedure ${JSON.stringify(wanted)} to make one of${nearest(wanted, known)}`;
}

/** The fields that have to change so that the rule is as the file says. */
function changesOf({ name, overrides }: RuleEntry, rule: JobRule): RuleChanges {
  const wanted = [...ruleFields.keys()]
    .map((field) => [field, overrides[field] ?? null] as const)
    .filter(([field, value]) => !isDeepStrictEqual(value, rule.overrides[field]));
  const changes: Record<string, unknown> = Object.fromEntries(wanted);
  // Who sets only the cron expression means the unit, too; here it is said.
  if ('cron' in changes) changes.everyUnit = overrides.everyUnit ?? null;
  return { ...changes, ...(name === rule.name ? {} : { name }) };
}

/** Only what persons have cancelled or resumed is in a file; a rule that failed is a matter of its site. */
function cancellation(
  { cancelled }: RuleEntry,
  rule: JobRule,
  { at, by }: { readonly at: number; readonly by: string },
): RuleColumns {
  const isCancelled = rule.cancelledBy === 'person';
  if (cancelled === undefined || cancelled === isCancelled) return {};
  return cancelled
    ? {
        cancelled_at: rule.cancelledAt?.getTime() ?? at,
        cancelled_by: 'person',
        cancelled_reason: `by ${by}`,
      }
    : { cancelled_at: null, cancelled_by: null, cancelled_reason: null };
}

/** Not of what differs from one who applies to the next. */
function digestOf(planned: readonly PlannedRule[]): string {
  const essence = planned.map(({ name, procedure, kind, changes }) => [
    name,
    procedure,
    kind,
    changes.filter(({ field }) => field !== 'cancelledReason'),
  ]);
  return createHash('sha256').update(JSON.stringify(essence)).digest('hex').slice(0, 12);
}
