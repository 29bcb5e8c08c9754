// Which rule somebody means, by its number, its name or its procedure; also as the rule that another one runs
// after.

import type { Kysely } from 'kysely';
import { suggestion, UsageError } from '../base/errors.js';
import type { Database } from '../store/schema.js';
import type { JobRule } from './rule.js';

/** There is no rule of this number or name. */
export class UnknownRuleError extends UsageError {
  /** As it was asked for. */
  readonly rule: number | string;

  constructor(rule: number | string, problem: string) {
    super(problem, 'LINOD_ERR_UNKNOWN_RULE');
    this.rule = rule;
  }
}

/** So many numbers are listed where there is none of a number. */
const maxNamed = 20;

/** What to throw of a number that no rule has. */
export async function unknownRule(id: number, db: Kysely<Database>): Promise<UnknownRuleError> {
  const known = await db
    .selectFrom('job_rules')
    .select('id')
    .orderBy('id')
    .limit(maxNamed + 1)
    .execute();
  const more = known.length > maxNamed ? '…' : '';
  const numbers =
    known
      .map((rule) => rule.id)
      .slice(0, maxNamed)
      .join(', ') + more;
  const there = numbers === '' ? 'there are none yet' : `there are ${numbers}`;
  return new UnknownRuleError(id, `no job rule ${id}; ${there}`);
}

/** Several rules have this name, or are of this procedure. */
export class AmbiguousRuleError extends UsageError {
  /** As it was asked for. */
  readonly rule: string;
  /** The numbers of the rules that may be meant. */
  readonly candidates: readonly number[];

  constructor(rule: string, key: 'name' | 'procedure', found: ReadonlyArray<{ id: number; name: string }>) {
    const numbers = found.map(({ id, name }) => `${id} (${name})`).join(', ');
    super(
      `${JSON.stringify(rule)} is the ${key} of several rules, name one: ${numbers}`,
      'LINOD_ERR_AMBIGUOUS_RULE',
    );
    this.rule = rule;
    this.candidates = found.map(({ id }) => id);
  }
}

/**
 * The number of the rule that is meant. Whether there is a rule of a number is for others to find out.
 *
 * @param rule its number, also as text; its name; or the name of a procedure that has one rule
 * @throws UnknownRuleError (`LINOD_ERR_UNKNOWN_RULE`), AmbiguousRuleError (`LINOD_ERR_AMBIGUOUS_RULE`)
 */
export async function findRule(db: Kysely<Database>, rule: number | string): Promise<number> {
  if (typeof rule === 'number') return rule;
  if (/^\d{1,15}$/.test(rule) && Number(rule) > 0) return Number(rule);
  const list = await db
    .selectFrom('job_rules')
    .select(['id', 'name', 'procedure'])
    .where((eb) => eb.or([eb('name', '=', rule), eb('procedure', '=', rule)]))
    .orderBy('id')
    .execute();
  for (const key of ['name', 'procedure'] as const) {
    const found = list.filter((row) => row[key] === rule);
    const [first, second] = found;
    if (second !== undefined) throw new AmbiguousRuleError(rule, key, found);
    if (first !== undefined) return first.id;
  }
  const names = await db.selectFrom('job_rules').select('name').orderBy('id').execute();
  const hint = suggestion(
    rule,
    names.map(({ name }) => name),
  );
  throw new UnknownRuleError(
    rule,
    `expected the number or the name of a rule, got: ${JSON.stringify(rule)}${hint || '; linod rules lists them'}`,
  );
}

/**
 * The number of the first rule of a procedure that nobody has cancelled, for who wants it to look at once for
 * what it would find at its next time; null for none.
 */
export async function activeRuleOf(db: Kysely<Database>, procedure: string): Promise<number | null> {
  const row = await db
    .selectFrom('job_rules')
    .select('id')
    .where('procedure', '=', procedure)
    .where('cancelled_at', 'is', null)
    .where('removed_at', 'is', null)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? null;
}

/** The number of the rule that a rule runs after; null for none, or one that is not there. */
export async function followedBy(db: Kysely<Database>, { policies }: JobRule): Promise<number | null> {
  const { runAfter } = policies;
  return runAfter === '' ? null : await ruleNamed(db, runAfter);
}

/**
 * The number of the rule with this name, this procedure or this number, the first of these that fits; null
 * for none. A rule that was clear when somebody named it stays the one that is meant, though its procedure
 * gets further rules.
 */
async function ruleNamed(db: Kysely<Database>, text: string): Promise<number | null> {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : -1;
  const row = await db
    .selectFrom('job_rules')
    .select('id')
    .where((eb) => eb.or([eb('name', '=', text), eb('procedure', '=', text), eb('id', '=', number)]))
    .orderBy((eb) => eb.case().when('name', '=', text).then(0).else(1).end())
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? null;
}

/**
 * Whether a rule may run after the one that it names.
 *
 * @throws UsageError (`LINOD_ERR_USAGE`) when there is no such rule, or the rules would wait for one another
 * for ever
 */
export async function checkFollows(db: Kysely<Database>, rule: JobRule): Promise<void> {
  const { runAfter } = rule.policies;
  if (runAfter === '') return;
  const first = await followedBy(db, rule);
  if (first === null) {
    throw new UsageError(
      `expected runAfter to be the name or the number of a rule, got: ${JSON.stringify(runAfter)}`,
    );
  }
  const seen = new Set([rule.id]);
  for (let id: number | null = first; id !== null; ) {
    if (seen.has(id)) {
      const chain = [...seen, id].map((number) => `#${number}`).join(' after ');
      throw new UsageError(`rules cannot run after one another in a circle: ${chain}`);
    }
    seen.add(id);
    const next: { follows_rule_id: number | null } | undefined = await db
      .selectFrom('job_rules')
      .select('follows_rule_id')
      .where('id', '=', id)
      .executeTakeFirst();
    id = next?.follows_rule_id ?? null;
  }
}
