// The rules of a site adjusted to its procedures, when a worker starts, and to its clock, when that was set.

import { isDeepStrictEqual } from 'node:util';
import type { Kysely } from 'kysely';
import { registeredAmong } from '../membership/registered-procedures.js';
import { idList } from '../store/dialect.js';
import type { Database, JobRuleRow } from '../store/schema.js';
import { followedBy } from './find-rule.js';
import type { Procedure } from './procedure.js';
import { isFaultOfRule, type JobRule } from './rule.js';
import type { RuleColumns } from './rule-fields.js';
import type { RuleTable } from './rule-table.js';

/** What `sync` did, by the names of the rules. */
export interface SyncReport {
  readonly created: readonly string[];
  /** No living worker has their procedure; they are kept, marked, and never run. */
  readonly removed: readonly string[];
  /** Their procedure came back. */
  readonly restored: readonly string[];
  /** They were cancelled since a run failed, and may try again. */
  readonly reactivated: readonly string[];
  /** The procedure suggests something else than before. */
  readonly changed: readonly string[];
}

type Kind = keyof SyncReport;

/** See {@link Rules.sync}. Part of a transaction that has the lock of the rules. */
export async function syncRules(
  tx: Kysely<Database>,
  rules: RuleTable,
  procedures: Iterable<Procedure>,
  isComplete: boolean,
): Promise<SyncReport> {
  const all = new Map(Array.from(procedures, (procedure) => [procedure.name, procedure]));
  const known = await tx
    .selectFrom('job_rules')
    .select(['id', 'procedure'])
    .orderBy('seqno')
    .forNoKeyUpdate()
    .execute();
  const report: { [K in Kind]: string[] } = {
    created: [],
    removed: [],
    restored: [],
    reactivated: [],
    changed: [],
  };
  // While no worker ran; which of the two it was is not known.
  await realignRules(tx, rules, 'the clock or the time zone changed');
  const withRule = new Set(known.map(({ procedure }) => procedure));
  const made: number[] = [];
  for (const procedure of all.values()) {
    if (withRule.has(procedure.name)) continue;
    made.push(await rules.insert(tx, procedure, 'sync'));
    report.created.push(procedure.name);
  }
  const ids = known.map(({ id }) => id);
  const elsewhere = await registeredAmong(tx, withRule);
  for await (const row of readRules(tx, ids)) {
    const procedure = all.get(row.procedure);
    // A file that could not be loaded may have it, or another worker, during a deployment.
    const isKept = !isComplete || elsewhere.has(row.procedure);
    if (procedure === undefined && isKept) continue;
    for (const kind of await adjust(tx, rules, row, procedure)) report[kind].push(row.name);
  }
  // A rule may have been made after the one that follows it.
  for await (const row of readRules(tx, [...ids, ...made])) {
    const follows = row.removed_at === null ? await followedBy(tx, rules.parse(row)) : row.follows_rule_id;
    if (follows !== row.follows_rule_id) await rules.set(tx, row.id, { follows_rule_id: follows });
  }
  return report;
}

async function adjust(
  tx: Kysely<Database>,
  rules: RuleTable,
  row: JobRuleRow,
  procedure: Procedure | undefined,
): Promise<Kind[]> {
  const rule = rules.parse(row);
  if (procedure === undefined) {
    if (rule.removedAt !== null) return [];
    await rules.change(tx, row, { removed_at: rules.clock.now() }, { how: 'sync', what: 'removed' });
    await rules.note(rule.id, 'removed', `no procedure ${rule.procedure} is registered`, tx);
    return ['removed'];
  }
  const did: Kind[] = [];
  if (rule.removedAt !== null) did.push('restored');
  if (rule.cancelledBy === 'failure') did.push('reactivated');
  const detail = did.join(' and ');
  if (!isDeepStrictEqual(procedure.suggestion, rule.suggestion)) did.push('changed');
  if (did.length === 0) return did;
  const columns: RuleColumns = { removed_at: null, suggestion: JSON.stringify(procedure.suggestion) };
  if (did.includes('reactivated')) {
    await rules.set(tx, rule.id, { failures_in_row: 0 });
    Object.assign(columns, { cancelled_at: null, cancelled_by: null, cancelled_reason: null });
  }
  try {
    const what = 'changed by a new version of the procedure';
    await rules.change(tx, row, columns, { how: 'sync', what });
  } catch (error) {
    // A new suggestion and an old override need not fit together. That is no reason to stop the others.
    if (!isFaultOfRule(error)) throw error;
    await rules.cancelFailed(tx, rule.id, error.message);
  }
  if (detail !== '') await rules.note(rule.id, 'reactivated', detail, tx);
  return did;
}

/** See {@link Rules.realign}. Part of a transaction. */
export async function realignRules(tx: Kysely<Database>, rules: RuleTable, why: string): Promise<void> {
  const known = await tx
    .selectFrom('job_rules')
    .select(['id', 'next_due_at'])
    .where('next_due_at', 'is not', null)
    .orderBy('id')
    .forNoKeyUpdate()
    .execute();
  // Only now: another worker may have had some of them until a moment ago, and run what was due meanwhile.
  const now = rules.clock.now();
  const ahead = known.filter((rule) => (rule.next_due_at ?? now) > now).map(({ id }) => id);
  for await (const row of readRules(tx, ahead)) {
    const rule = rules.parse(row);
    const due = await dueSince(tx, rules, rule, now);
    if (due === undefined || due?.getTime() === rule.nextDueAt?.getTime()) continue;
    await rules.setDue(tx, rule, now, due);
    const [from, to] = [rule.nextDueAt, due].map((time) => (time === null ? 'never' : rule.localTime(time)));
    await rules.note(rule.id, 'moved', `from ${from} to ${to}: ${why}`, tx);
  }
}

/** When a rule is due; undefined for an invalid rule, which its next set-up or run handles. */
async function dueSince(
  tx: Kysely<Database>,
  rules: RuleTable,
  rule: JobRule,
  now: number,
): Promise<Date | null | undefined> {
  // A run of the other rule has made it due, and nothing else does.
  if (rule.policies.runAfter !== '') return new Date(now);
  try {
    return await rules.dueSince(tx, rule, now);
  } catch (error) {
    if (!isFaultOfRule(error)) throw error;
    return undefined;
  }
}

/** So many rules are in memory at once while all of them are gone through: there may be thousands. */
const rulesAtOnce = 200;

/** The rules of these numbers, in their order. */
export async function* readRules(db: Kysely<Database>, ids: readonly number[]): AsyncGenerator<JobRuleRow> {
  for (let i = 0; i < ids.length; i += rulesAtOnce) {
    const some = ids.slice(i, i + rulesAtOnce);
    const rows = await db.selectFrom('job_rules').selectAll().where('id', 'in', idList(db, some)).execute();
    yield* rows.sort((a, b) => some.indexOf(a.id) - some.indexOf(b.id));
  }
}
