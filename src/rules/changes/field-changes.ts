// What a change of a rule changed, field by field, for people and programs: the rows of `rule_changes`, read.

import { isDeepStrictEqual } from 'node:util';
import type { Kysely } from 'kysely';
import type { Database, RuleChangeRow } from '../../store/schema.js';
import { columnFromText, fieldOfColumn, fromJson, ruleFields } from '../rule-fields.js';
import type { RuleTable } from '../rule-table.js';

export interface FieldChange {
  /**
   * A field that a person may override, or `name`; `created`, `cancelled`, `removed` (its procedure is gone)
   * and the like; `suggestion.every` for what the procedure suggests.
   */
  readonly field: string;
  /** Of an override: null where the suggestion counts. */
  readonly before: unknown;
  readonly after: unknown;
}

/** The rows of all changes of a rule since a revision; of all of them when there is none given. */
export async function changesSince(
  db: Kysely<Database>,
  id: number,
  revision = -1,
): Promise<RuleChangeRow[]> {
  return await db
    .selectFrom('rule_changes')
    .selectAll()
    .where('rule_id', '=', id)
    .where('revision', '>', revision)
    .orderBy('revision')
    .orderBy('id')
    .execute();
}

/** What the rows of one change of a rule, or of several, say. */
export function fieldChanges(rows: readonly RuleChangeRow[]): FieldChange[] {
  return rows.flatMap((row) => (reading[row.field] ?? plain)(row));
}

type Reading = (row: RuleChangeRow) => FieldChange[];

const reading: Readonly<Record<string, Reading>> = {
  suggestion: suggestionChanges,
  cancelled_at: flag('cancelled'),
  // The reason says so in words.
  cancelled_by: () => [],
  cancelled_reason: ({ value_before: before, value_after: after }) => [
    { field: 'cancelledReason', before, after },
  ],
  removed_at: flag('removed'),
  created_at: ({ value_before: before, value_after: after }) => [{ field: 'createdAt', before, after }],
};

function flag(field: string): Reading {
  return ({ value_before: before, value_after: after }) =>
    (before === null) === (after === null) ? [] : [{ field, before: before !== null, after: after !== null }];
}

function plain({ field: column, value_before, value_after }: RuleChangeRow): FieldChange[] {
  const field = fieldOfColumn(column);
  const isList = field !== undefined && ruleFields.get(field)?.kind === 'list';
  const read = (text: string | null) =>
    isList && text !== null ? (fromJson(text) ?? text) : columnFromText(column, text);
  return [{ field: field ?? column, before: read(value_before), after: read(value_after) }];
}

function suggestionChanges({ value_before, value_after }: RuleChangeRow): FieldChange[] {
  const [before, after] = [asObject(value_before), asObject(value_after)];
  if (before === null || after === null)
    return [{ field: 'suggestion', before: value_before, after: value_after }];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => !isDeepStrictEqual(before[name], after[name]))
    .map((name) => ({
      field: `suggestion.${name}`,
      before: before[name] ?? null,
      after: after[name] ?? null,
    }));
}

function asObject(text: string | null): Record<string, unknown> | null {
  const value = fromJson(text);
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
}

/** The changes in words: `every: suggested → 20, cancelled: by ann`. */
export function changesText(changes: readonly FieldChange[]): string {
  return changes
    .map((change) => textOf(change, changes))
    .filter((text) => text !== '')
    .join(', ');
}

function textOf({ field, before, after }: FieldChange, all: readonly FieldChange[]): string {
  if (field === 'created') return `created as ${String(after)}`;
  if (field === 'removed') return after === true ? 'its procedure is gone' : 'its procedure is back';
  if (field === 'cancelled') {
    const reason = all.find((change) => change.field === 'cancelledReason')?.after ?? '';
    const why = String(reason).replace(/^failed: /, 'since it failed: ');
    return after === true ? `cancelled ${why}`.trimEnd() : 'resumed';
  }
  if (field === 'cancelledReason') return '';
  if (field.startsWith('suggestion.')) {
    const [from, to] = [valueText(before, 'nothing'), valueText(after, 'nothing')];
    return `suggestion of ${field.slice('suggestion.'.length)}: ${from} → ${to}`;
  }
  return `${field}: ${valueText(before, 'suggested')} → ${valueText(after, 'suggested')}`;
}

/** @param missing what stands for null */
function valueText(value: unknown, missing: string): string {
  if (value === null) return missing;
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(',');
  return value === '' ? 'none' : String(value);
}

/** Notes the changes in the ledger. @param suffix how they came about */
export async function noteChanges(
  tx: Kysely<Database>,
  rules: Pick<RuleTable, 'note'>,
  id: number,
  changes: readonly FieldChange[],
  suffix: string,
): Promise<void> {
  const others = changesText(changes.filter(({ field }) => !field.startsWith('cancelled')));
  if (others !== '') await rules.note(id, 'edited', `${others}, ${suffix}`, tx);
  const switched = changes.find(({ field }) => field === 'cancelled');
  if (switched !== undefined) {
    await rules.note(id, switched.after === true ? 'cancelled' : 'resumed', suffix, tx);
  }
}
