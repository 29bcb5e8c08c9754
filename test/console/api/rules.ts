// The API of the rules, and of the timeline of one rule.

import { sql } from 'kysely';
import t from 'tap';
import type {
  AuditRow,
  BulkResult,
  DueView,
  ErrorBody,
  Page,
  Requested,
  RevisionView,
  RuleSummary,
  RuleView,
  TimelineView,
} from '../../../src/console/api.js';
import { type ConsoleClient, ConsoleServer } from '../../support/console-server.js';
import { addJob, addRules, hour } from '../../support/rule-rows.js';

async function names(client: ConsoleClient, query: string): Promise<string[]> {
  return (await client.get(`api/rules${query}`)).json<Page<RuleSummary>>().rows.map(({ name }) => name);
}

async function refusal(client: ConsoleClient, path: string, body: unknown): Promise<string> {
  const { status, text } = await client.post(path, body);
  const { error } = JSON.parse(text) as ErrorBody;
  return `${status} ${error.message}`;
}

t.test('the list of rules filters, sorts and comes in parts', async (t) => {
  const server = await ConsoleServer.start(t);
  const client = await server.signedIn('viewer');
  const [first = 0, second = 0] = await addRules(server.store, ['mails', 'Backup', '100%', 'gone']);
  await server.store.db.updateTable('job_rules').set({ removed_at: 1 }).where('name', '=', 'gone').execute();
  for (let i = 0; i < 60; i++) await addJob(server.store, first, 1_700_000_000_000 + i * hour, 'done');
  await addJob(server.store, second, Date.now(), 'running');

  t.same(await names(client, ''), ['mails', 'Backup', '100%']);
  t.same(await names(client, '?sort=name'), ['100%', 'Backup', 'mails']);
  t.same(await names(client, '?sort=-name'), ['mails', 'Backup', '100%']);
  t.same(await names(client, '?sort=next'), ['100%', 'Backup', 'mails']);
  t.same(await names(client, '?sort=-last'), ['Backup', 'mails', '100%']);
  t.same(await names(client, '?text=%25'), ['100%']);
  t.same(await names(client, '?text=BACK'), ['Backup']);
  t.same(await names(client, '?state=running'), ['Backup']);
  t.same(await names(client, '?state=removed'), ['gone']);
  t.same(await names(client, '?state=never'), []);
  t.match(await client.get('api/rules?state=odd'), { status: 400 });
  t.match(await client.get('api/rules?sort=constructor'), { status: 400 });

  const part = (await client.get('api/rules?limit=2')).json<Page<RuleSummary>>();
  t.match(part, { next: '2', total: 3 });
  t.same(await names(client, `?limit=2&after=${part.next}`), ['100%']);
  const [mails] = part.rows;
  t.match(mails, { state: 'active', when: 'every hour', last: { status: 'done', ruleName: 'mails' } });
  t.equal(mails?.strip.length, 50);
  t.same(mails?.strip.at(-1), { job: 60, status: 'done', ms: 2500 });
});

t.test('a rule is found by its name as it is written', async (t) => {
  const server = await ConsoleServer.start(t);
  const client = await server.signedIn('viewer');
  await addRules(server.store, ['Äripäev', 'other']);
  t.same(await names(client, `?text=${encodeURIComponent('Äripäev')}`), ['Äripäev']);
});

t.test('rules are changed as the command changes them, and the audit has it', async (t) => {
  const server = await ConsoleServer.start(t);
  const client = await server.signedIn('admin');
  const [rule = 0, other = 0] = await addRules(server.store, ['mails', 'backup']);
  const path = `api/rules/${rule}`;
  const post = async (word: string, body: unknown) =>
    (await client.post(`${path}/${word}`, body)).json<Requested>().text;
  const view = async () => (await client.get(path)).json<RuleView>();

  t.equal(
    await post('set', { changes: { every: '2', group: 'mail' } }),
    'every: suggested → 2, group: suggested → mail',
  );
  const { fields } = await view();
  t.match(
    fields.find(({ name }) => name === 'every'),
    { suggestion: 1, override: 2, effective: 2, by: 'admin', at: /^\d{4}-/ },
  );
  t.match(
    fields.find(({ name }) => name === 'overlap'),
    { override: null, effective: 'skip', by: null, allowed: /^one of skip/ },
  );
  t.equal(await post('pause', {}), 'cancelled by admin');
  t.match(await view(), { state: 'paused', stateText: 'by admin', blockers: [/cancelled since/] });
  t.equal(await refusal(client, `${path}/pause`, {}), `400 job rule ${rule} is cancelled already`);
  t.equal(await post('resume', {}), 'resumed');

  const revisions = (await client.get(`${path}/history`)).json<RevisionView[]>();
  const edit = revisions.find(({ text }) => text.startsWith('every'));
  t.match(edit, { by: 'admin', how: 'command', canUndo: true });
  t.match(await post('undo', { revision: edit?.revision }), /every: 2 → suggested/);
  t.match(await view(), { when: 'every hour' });

  t.match(
    await post('run', { args: '{"order": 9007199254740991}' }),
    /^request 1 waits: no worker is running$/,
  );
  const { args } = await server.store.db.selectFrom('job_requests').select('args').executeTakeFirstOrThrow();
  t.equal(args, '{"order":9007199254740991}');
  t.match(await post('stop', {}), /^request 2: nothing was running$/);
  t.match(await refusal(client, `${path}/run`, { args: '{"a":' }), /^400 args is no JSON/);
  t.match(
    await refusal(client, `${path}/run`, { args: '{"a":9007199254740993}' }),
    /2\^53.*9007199254740993/,
  );
  t.match(await refusal(client, 'api/rules/99/run', {}), /^404 no job rule 99/);

  const bulk = (
    await client.post('api/rules/bulk', { ids: [rule, other, 99], action: 'pause' })
  ).json<BulkResult>();
  t.match(bulk, { done: 2, failed: [{ id: 99, message: /no job rule 99/ }] });
  t.match(await client.post('api/rules/bulk', { ids: [], action: 'pause' }), { status: 400 });

  const audit = (await client.get('api/audit')).json<Page<AuditRow>>().rows;
  const set = audit.find(({ action }) => action === 'rule.set');
  t.match(set, { user: 'admin', target: `rule ${rule}`, undo: { rule, revision: edit?.revision } });
  t.match(
    audit.find(({ action, detail }) => action === 'rule.pause' && detail.includes('failed')),
    { detail: /cancelled already/ },
  );
  t.match(
    audit.find(({ action, target }) => action === 'rule.bulk' && target !== ''),
    { target: '3 rules' },
  );
});

t.test('due times are previewed, and refused with the sentence of the command', async (t) => {
  const server = await ConsoleServer.start(t, { timezone: 'Europe/Tallinn' });
  const client = await server.signedIn('admin');
  const [rule = 0] = await addRules(server.store, ['mails']);
  const next = (changes: unknown, word = 'next') =>
    client.get(`api/rules/${rule}/${word}?${new URLSearchParams({ changes: JSON.stringify(changes) })}`);
  const times = (await next({ when: 'every day at 03:30' })).json<DueView[]>();
  t.equal(times.length, 20);
  t.ok(times.every(({ wall }) => wall.includes('T03:30:00')));
  t.match((await client.get(`api/rules/${rule}`)).json<RuleView>().when, /^every hour/, 'nothing is changed');
  for (const changes of [
    { every: '0' },
    { overlap: 'odd' },
    { when: 'whenever' },
    { color: 'red' },
    { runAfter: 'no' },
  ]) {
    const previewed = (await next(changes)).json<ErrorBody>().error.message;
    t.equal(await refusal(client, `api/rules/${rule}/set`, { changes }), `400 ${previewed}`);
  }
});

t.test('the timeline has clock changes, what is simulated, and skipped times', async (t) => {
  const server = await ConsoleServer.start(t, { timezone: 'Europe/Tallinn' });
  const client = await server.signedIn('viewer');
  const [rule = 0] = await addRules(server.store, ['long']);
  const begin = Math.ceil((Date.now() + 2 * hour) / hour) * hour;
  await addJob(server.store, rule, Date.now() - 3 * hour, 'done');
  await sql`update jobs set end_datetime = start_datetime + ${1.5 * hour}`.execute(server.store.db);
  const timeline = async (from: number, to: number) =>
    (
      await client.get(
        `api/rules/${rule}/timeline?from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`,
      )
    ).json<TimelineView>();

  const { future, jobs } = await timeline(Date.now() - 24 * hour, begin + 8 * hour);
  t.equal(jobs.length, 1, 'a run without an entry is there');
  t.match(
    future.find(({ reason }) => reason === 'skipped'),
    { sentence: /^will not run: the run before still goes on/, startsAt: null },
  );
  const run = future.find(({ reason }) => reason === 'started');
  t.equal(Date.parse(run?.endsAt ?? '') - Date.parse(run?.startsAt ?? ''), 1.5 * hour);

  const past = await timeline(Date.UTC(2025, 2, 29), Date.UTC(2025, 2, 31));
  t.match(past, { clockChanges: [{ at: '2025-03-30T01:00:00.000Z', changeMs: hour }], future: [] });
  t.match(await client.get(`api/rules/${rule}/timeline?from=x&to=y`), { status: 400 });
});

t.test('the timeline finds a period in a long history, also what was written later', async (t) => {
  const server = await ConsoleServer.start(t);
  const client = await server.signedIn('viewer');
  const [rule = 0, other = 0] = await addRules(server.store, ['busy', 'other']);
  const start = Date.UTC(2026, 0, 1);
  await sql`insert into decisions (rule_id, due_at, decided_at, worker_id, reason, detail)
    with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 5000)
    select case when n % 5 = 0 then ${sql.lit(other)} else ${sql.lit(rule)} end, ${sql.lit(start)} + n * 60000, ${sql.lit(start)} + n * 60000, 'w1', 'started', ''
    from numbers`.execute(server.store.db);
  const outage = { due_at: start + 4000 * 60_000, due_until: start + 9000 * 60_000, times: 1000 };
  await server.store.db
    .insertInto('decisions')
    .values({
      rule_id: rule,
      decided_at: start + 9001 * 60_000,
      worker_id: 'w1',
      reason: 'dropped',
      detail: 'x',
      ...outage,
    })
    .execute();
  const timeline = async (from: number, to: number) => {
    const [first, last] = [from, to].map((minutes) => new Date(start + minutes * 60_000).toISOString());
    return (await client.get(`api/rules/${rule}/timeline?from=${first}&to=${last}`)).json<TimelineView>();
  };
  const { entries, isCut } = await timeline(1000, 1009);
  t.same(
    entries.map(({ at }) => (Date.parse(at) - start) / 60_000),
    [1001, 1002, 1003, 1004, 1006, 1007, 1008, 1009],
  );
  t.notOk(isCut);
  t.match((await timeline(8000, 8010)).entries, [{ reason: 'dropped', times: 1000 }]);
  t.ok((await timeline(0, 5000)).isCut);
});
