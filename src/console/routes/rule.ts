// One rule: its fields with their origins, its due times, its history.

import type { Kysely } from 'kysely';
import { openTasks } from '../../actors/tables.js';
import { situationOf } from '../../insight/why/blockers.js';
import { outlookOf } from '../../insight/why/outlook.js';
import { changesText } from '../../rules/changes/field-changes.js';
import { changesOf } from '../../rules/changes/parse-changes.js';
import { undoable } from '../../rules/changes/rule-history.js';
import { noteText } from '../../rules/due-notes.js';
import { fieldValues } from '../../rules/field-values.js';
import type { JobRule } from '../../rules/rule.js';
import { isRuleField, ruleFields } from '../../rules/rule-fields.js';
import { inWords } from '../../rules/rule-words.js';
import type { Database } from '../../store/schema.js';
import type { DueView, RevisionView, RuleView } from '../api.js';
import { badRequest } from '../errors.js';
import { numberParam, numberQuery, type Route, type RouteRequest, read } from '../router.js';
import { ruleSummaries } from '../rule-summary.js';

async function ruleView(request: RouteRequest): Promise<RuleView> {
  const { actor } = request;
  const { db } = actor.store;
  const rule = await (await openTasks(actor)).rules.get(numberParam(request, 'id'));
  const [summary] = await ruleSummaries(db, [rule]);
  if (summary === undefined) throw new Error('unreachable: it was read');
  const { overdue, waiting, blockers } = await outlookOf(await situationOf(actor, rule, new Date()), 0);
  return {
    ...summary,
    timezone: rule.timezone,
    fields: await fieldsOf(db, rule),
    blockers: [
      ...(overdue === null ? [] : [overdue]),
      ...waiting,
      ...blockers.map(({ sentence }) => sentence),
    ],
  };
}

async function fieldsOf(db: Kysely<Database>, rule: JobRule): Promise<RuleView['fields']> {
  const changes = await db
    .selectFrom('rule_changes')
    .select(['field', 'changed_by', 'changed_at'])
    .where('rule_id', '=', rule.id)
    .orderBy('id')
    .execute();
  const lastOf = new Map(changes.map((change) => [change.field, change]));
  return Object.entries(fieldValues).map(([name, allowed]) => {
    if (!isRuleField(name)) {
      const change = name === 'name' ? lastOf.get('name') : undefined;
      const effective = name === 'name' ? rule.name : inWords(rule);
      return { ...{ name, allowed, suggestion: null, override: null, effective }, ...originOf(change) };
    }
    const values = rule.field(name);
    const change = values.override === null ? undefined : lastOf.get(ruleFields.get(name)?.column ?? '');
    return { name, allowed, ...values, ...originOf(change) };
  });
}

function originOf(change: { readonly changed_by: string | null; readonly changed_at: number } | undefined) {
  if (change === undefined) return { by: null, at: null };
  return { by: change.changed_by, at: new Date(change.changed_at).toISOString() };
}

/** The rule as it is, or as it would be with `changes`. */
async function dueTimes(request: RouteRequest): Promise<DueView[]> {
  const { rules } = await openTasks(request.actor);
  const id = numberParam(request, 'id');
  const changes = changesOf(parseTexts(request.query.get('changes') ?? '{}'));
  const isChanged = Object.keys(changes).length > 0;
  const rule = isChanged ? await rules.preview(id, changes) : await rules.get(id);
  if (rule.policies.runAfter !== '') return [];
  const count = numberQuery(request, 'count', { byDefault: 20, atMost: 200 });
  // Also of a paused rule: whoever edits it wants to know what it will do.
  return rule.dueTimes.timetable(new Date(), count).map((entry) => ({
    at: entry.at?.toISOString() ?? null,
    wall: entry.at === null ? entry.wall : rule.localTime(entry.at),
    note: noteText(rule, entry),
  }));
}

function parseTexts(text: string): Record<string, string> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([field, to]) => [field, String(to)]));
  } catch {
    // Refused below.
  }
  throw badRequest('expected changes to be an object as JSON');
}

async function historyOf(request: RouteRequest): Promise<RevisionView[]> {
  const { history } = await openTasks(request.actor);
  const revisions = await history.list(numberParam(request, 'id'));
  return revisions.toReversed().map(({ revision, at, by, how, changes }) => ({
    revision,
    at: at.toISOString(),
    by,
    how,
    text: changesText(changes),
    canUndo: revision > 0 && undoable.has(how),
  }));
}

export const ruleRoutes: readonly Route[] = [
  read('api/rules/:id', ruleView),
  read('api/rules/:id/next', dueTimes),
  read('api/rules/:id/history', historyOf),
];
