// The list of rules, and changes of one or several of them.

import { type SelectQueryBuilder, sql } from 'kysely';
import * as v from 'valibot';
import { RunJob } from '../../actors/run-job.js';
import { type ActorContext, openTasks, tellWorkers } from '../../actors/tables.js';
import { parseExactJson } from '../../base/parse-json.js';
import { fateOf, fateText, waitText } from '../../insight/why/request-text.js';
import { changesText } from '../../rules/changes/field-changes.js';
import { changesOf } from '../../rules/changes/parse-changes.js';
import { isRuleWith } from '../../runs/job-search.js';
import type { Database } from '../../store/schema.js';
import type { BulkResult, Page, Requested, Role, RuleSummary } from '../api.js';
import { badRequest, refusalOf } from '../errors.js';
import {
  type AuditNote,
  bodyOf,
  type ChangeRoute,
  change,
  numberParam,
  numberQuery,
  type Route,
  type RouteRequest,
  read,
} from '../router.js';
import { ruleSummaries } from '../rule-summary.js';

type RuleQuery<Row> = SelectQueryBuilder<Database, 'job_rules', Row>;

const conditions = {
  removed: sql<boolean>`removed_at is not null`,
  paused: sql<boolean>`removed_at is null and cancelled_at is not null`,
  running: sql<boolean>`exists (select 1 from jobs where rule_id = job_rules.id and status = 'running')`,
  never: sql<boolean>`removed_at is null and cancelled_at is null and next_due_at is null and follows_rule_id is null`,
  active: sql<boolean>`removed_at is null and cancelled_at is null
    and (next_due_at is not null or follows_rule_id is not null)`,
  // Rules whose procedure is gone are only kept for their history.
  '': sql<boolean>`removed_at is null`,
};

/** Null comes last in both directions. */
const orders = {
  '': [sql`seqno`],
  name: [sql`lower(name)`],
  '-name': [sql`lower(name) desc`],
  next: [sql`next_due_at is null`, sql`next_due_at`],
  '-next': [sql`next_due_at is null`, sql`next_due_at desc`],
  last: [sql`coalesce((select max(id) from jobs where rule_id = job_rules.id), 9e18)`],
  '-last': [sql`coalesce((select max(id) from jobs where rule_id = job_rules.id), 0) desc`],
};

async function listRules(request: RouteRequest): Promise<Page<RuleSummary>> {
  const { query, actor } = request;
  const { db } = actor.store;
  const state = oneOf('state', query.get('state') ?? '', conditions);
  const order = oneOf('sort', query.get('sort') ?? '', orders);
  const text = (query.get('text') ?? '').trim();
  const filtered = <Row>(from: RuleQuery<Row>): RuleQuery<Row> => {
    const rows = from.where(state);
    return text === '' ? rows : rows.where(isRuleWith(db, text));
  };
  const after = numberQuery(request, 'after', { byDefault: 0 });
  // A page has fifty runs for each of its rules.
  const limit = numberQuery(request, 'limit', { byDefault: 50, atMost: 50 });
  const ordered = <Row>(rows: RuleQuery<Row>) =>
    order.reduce((some, by) => some.orderBy(by), rows).orderBy('id');
  // Sorting all rules by their numbers alone takes a third of the time.
  const ids = ordered(filtered(db.selectFrom('job_rules').select('id')))
    .limit(limit + 1)
    .offset(after);
  const found = await ordered(db.selectFrom('job_rules').selectAll().where('id', 'in', ids)).execute();
  const { total } = await filtered(
    db.selectFrom('job_rules').select((eb) => eb.fn.countAll().as('total')),
  ).executeTakeFirstOrThrow();
  const { rules } = await openTasks(actor);
  return {
    rows: await ruleSummaries(
      db,
      found.slice(0, limit).map((row) => rules.parse(row)),
    ),
    next: found.length > limit ? String(after + limit) : null,
    total: Number(total),
  };
}

function oneOf<T>(name: string, word: string, choices: Readonly<Record<string, T>>): T {
  const choice = Object.hasOwn(choices, word) ? choices[word] : undefined;
  if (choice !== undefined) return choice;
  const names = Object.keys(choices).filter((one) => one !== '');
  throw badRequest(`expected ${name} to be one of ${names.join(', ')}, got: ${JSON.stringify(word)}`);
}

/** A request for a run, and what became of it at once. */
async function run(
  actor: ActorContext,
  id: number,
  options: { readonly args?: unknown },
): Promise<Requested> {
  const { request, isWorking } = await RunJob.request(actor, id, options);
  if (!isWorking) return { request, text: `request ${request} waits: no worker is running` };
  const fate = fateText(await fateOf(actor, request));
  return { request, text: `request ${request}: ${fate ?? (await waitText(actor, id))}` };
}

async function stop(actor: ActorContext, id: number): Promise<Requested> {
  const { request } = await RunJob.stop(actor, id);
  const { outcome } = await fateOf(actor, request, 'stop');
  return { request, text: `request ${request}: ${outcome ?? 'it waits for the worker'}` };
}

type Tasks = Awaited<ReturnType<typeof openTasks>>;

/** A change of what a rule says, which can be undone. `B` is what the request's body has. */
function edit<B>(
  word: string,
  read: (request: RouteRequest) => B,
  apply: (tasks: Tasks, id: number, body: B) => Promise<unknown>,
  role?: Role,
): Route {
  const handle: ChangeRoute['handle'] = async (request, note): Promise<Requested> => {
    const { actor } = request;
    const id = numberParam(request, 'id');
    const target = `rule ${id}`;
    note({ target });
    const body = read(request);
    note({ target, detail: body === undefined ? '' : JSON.stringify(body) });
    const tasks = await openTasks(actor);
    const before = await tasks.rules.get(id);
    await apply(tasks, id, body);
    const done = (await tasks.history.list(id)).filter(({ revision }) => revision > before.revision);
    const detail = done.map(({ changes }) => changesText(changes)).join(', ');
    const [first] = done;
    note({ target, detail, undo: first === undefined ? null : { rule: id, revision: first.revision } });
    await tellWorkers(actor);
    return { request: null, text: detail === '' ? 'nothing to change: the rule is already so' : detail };
  };
  return change(`api/rules/:id/${word}`, `rule.${word}`, handle, role);
}

const runBody = v.optional(v.object({ args: v.optional(v.string()) }));
const setBody = v.object({ changes: v.record(v.string(), v.string()) });
const undoBody = v.optional(v.object({ revision: v.optional(v.number()) }));
const bulkBody = v.object({
  ids: v.pipe(v.array(v.number()), v.minLength(1), v.maxLength(10_000)),
  action: v.picklist(['run', 'pause', 'resume']),
});

async function bulk(request: RouteRequest, note: (note: AuditNote) => void): Promise<BulkResult> {
  const { ids, action } = bodyOf(request, bulkBody);
  const { actor, visitor } = request;
  note({ target: `${ids.length} rules`, detail: `${action}: ${ids.join(', ')}` });
  const { rules, requests } = await openTasks(actor);
  const one = {
    run: (id: number) => requests.add(id, 'run', visitor.name),
    pause: (id: number) => rules.cancel(id),
    resume: (id: number) => rules.resume(id),
  }[action];
  const failed: Array<BulkResult['failed'][number]> = [];
  for (const id of ids) {
    try {
      await one(id);
    } catch (error) {
      failed.push({ id, message: refusalOf(error).message });
    }
  }
  await tellWorkers(actor);
  return { done: ids.length - failed.length, failed };
}

export const rulesRoutes: readonly Route[] = [
  read('api/rules', listRules),
  change('api/rules/bulk', 'rule.bulk', bulk),
  change('api/rules/:id/run', 'rule.run', async (request, note) => {
    const id = numberParam(request, 'id');
    const target = `rule ${id}`;
    note({ target });
    const text = bodyOf(request, runBody)?.args?.trim() ?? '';
    const options = text === '' ? {} : { args: parseExactJson('args', text) };
    // Not before: in what is no JSON, nothing can be hidden.
    note({ target, detail: request.context.redaction.applyToJson(text) });
    return await run(request.actor, id, options);
  }),
  change('api/rules/:id/stop', 'rule.stop', async (request, note) => {
    const id = numberParam(request, 'id');
    note({ target: `rule ${id}` });
    return await stop(request.actor, id);
  }),
  edit(
    'pause',
    () => undefined,
    ({ rules }, id) => rules.cancel(id),
  ),
  edit(
    'resume',
    () => undefined,
    ({ rules }, id) => rules.resume(id),
  ),
  edit(
    'set',
    (request) => bodyOf(request, setBody).changes,
    ({ rules }, id, changes) => rules.edit(id, changesOf(changes)),
    'admin',
  ),
  edit(
    'undo',
    (request) => bodyOf(request, undoBody)?.revision,
    ({ history }, id, revision) => history.undo(id, revision),
    'admin',
  ),
];
