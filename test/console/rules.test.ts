// The pages of the rules, and the timeline of one rule, with their API.

import { sql } from 'kysely';
import type { Locator, Page as Tab } from 'playwright-core';
import t, { type Test } from 'tap';
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
} from '../../src/console/api.js';
import { reasons } from '../../src/rules/reasons.js';
import type { Store } from '../../src/store/store.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { allAccessFaults, ConsoleSite } from '../support/console.js';
import { type ConsoleClient, ConsoleServer } from '../support/console-server.js';
import { gate } from '../support/gate.js';
import { eventually } from '../support/programs.js';
import { openBench } from '../support/site.js';

const hour = 3_600_000;
const evil = '<script>globalThis.isBroken = 1</script><img src=x onerror="globalThis.isBroken = 1">';

/** Writes rules into the database that no procedure has. @returns their numbers, in their order */
async function addRules({ db }: Store, names: readonly string[]): Promise<number[]> {
  const ids: number[] = [];
  for (const [index, name] of names.entries()) {
    const { id } = await db
      .insertInto('job_rules')
      .values({
        seqno: index + 1,
        name,
        procedure: 'report',
        suggestion: JSON.stringify({ every: 1, everyUnit: 'hourly' }),
        created_at: Date.now() - 30 * 24 * hour,
        next_due_at: Date.now() + (names.length - index) * hour,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    ids.push(id);
  }
  return ids;
}

async function addJob(
  { db }: Store,
  rule: number,
  startedAt: number,
  status: string,
  message = '',
): Promise<number> {
  const { id } = await db
    .insertInto('jobs')
    .values({
      rule_id: rule,
      procedure: 'report',
      due_at: startedAt,
      start_datetime: startedAt,
      end_datetime: status === 'running' ? null : startedAt + 2500,
      status,
      message,
      worker_id: 'w1',
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

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

t.test('rules are changed as the command changes them, and the audit has it', async (t) => {
  const server = await ConsoleServer.start(t);
  const client = await server.signedIn('operator');
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
    { suggestion: 1, override: 2, effective: 2, by: 'operator', at: /^\d{4}-/ },
  );
  t.match(
    fields.find(({ name }) => name === 'overlap'),
    { override: null, effective: 'skip', by: null, allowed: /^one of skip/ },
  );
  t.equal(await post('pause', {}), 'cancelled by operator');
  t.match(await view(), { state: 'paused', stateText: 'by operator', blockers: [/cancelled since/] });
  t.equal(await refusal(client, `${path}/pause`, {}), `400 job rule ${rule} is cancelled already`);
  t.equal(await post('resume', {}), 'resumed');

  const revisions = (await client.get(`${path}/history`)).json<RevisionView[]>();
  const edit = revisions.find(({ text }) => text.startsWith('every'));
  t.match(edit, { by: 'operator', how: 'command', canUndo: true });
  t.match(await post('undo', { revision: edit?.revision }), /every: 2 → suggested/);
  t.match(await view(), { when: 'every hour' });

  t.match(
    await post('run', { args: '{"order": 9007199254740991}' }),
    /^request 1 waits: no worker is running$/,
  );
  const { args } = await server.store.db.selectFrom('job_requests').select('args').executeTakeFirstOrThrow();
  t.equal(args, '{"order":9007199254740991}');
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
  t.match(set, { user: 'operator', target: `rule ${rule}`, undo: { rule, revision: edit?.revision } });
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
  const client = await server.signedIn('operator');
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
    select case when n % 5 = 0 then ${other} else ${rule} end, ${start} + n * 60000, ${start} + n * 60000, 'w1', 'started', ''
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

/** Every reason of the ledger for rule 1, by decisions of a scheduler on a clock of its own. @returns when it began */
async function provokeReasons(t: Test, store: Store): Promise<number> {
  const begin = Math.floor((Date.now() - 3 * hour) / 60_000) * 60_000;
  const clock = new ManualClock(begin);
  const bench = await openBench(t, { store, clock });
  let behave: () => unknown = () => undefined;
  bench.add('tick', () => behave(), {
    every: 10,
    everyUnit: 'secondly',
    onFailure: 'retry',
    retryDelaySeconds: 1,
  });
  const runAfter = async (seconds: number) => {
    clock.advance(seconds * 1000);
    await bench.tasks.run();
    await bench.tasks.settled();
  };
  await bench.tasks.setup();
  await runAfter(10);
  // Late, and two more are dropped.
  clock.advance(25_000);
  bench.tasks.startPolling();
  await runAfter(0);
  await bench.requests.add(1, 'run', 'robin', { args: { text: evil } });
  await runAfter(0);
  behave = () => {
    behave = () => undefined;
    throw new Error(evil);
  };
  await runAfter(10);
  await runAfter(2);
  await store.db
    .updateTable('job_rules')
    .set({ next_due_at: begin + 10_000 })
    .where('id', '=', 1)
    .execute();
  await runAfter(0);
  const dead = gate();
  behave = () => dead.promise;
  clock.advance(10_000);
  await bench.tasks.run();
  await bench.ends.giveUpLost();
  dead.open();
  await bench.tasks.settled();
  behave = () => undefined;
  await bench.rules.edit(1, { every: 20, name: evil });
  await bench.rules.cancel(1);
  clock.advance(60_000);
  await bench.rules.resume(1);
  await bench.rules.sync([]);
  await bench.tasks.setup();
  await runAfter(600);
  clock.setTo(clock.now() - 400_000);
  await bench.tasks.run();
  const until = new Date(clock.now() + 25_000).toISOString().slice(0, 19);
  await bench.rules.edit(1, { until });
  await runAfter(20);
  await runAfter(20);
  return begin;
}

const live = await ConsoleSite.start(t);
const store = await live.site.store();
const begin = await provokeReasons(t, store);
const [plain = 0] = await addRules(store, ['plain']);
await addRules(store, ['second', 'third']);
await addJob(store, plain, begin, 'failed', `Error: ${evil}`);

const period = (from: number, to: number) =>
  new URLSearchParams({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });

async function isInert(t: Test, page: Tab): Promise<void> {
  t.equal(await page.evaluate('globalThis.isBroken'), undefined);
  t.equal(await page.locator('img, main script').count(), 0);
}

const timelineOf = (page: Tab): Locator => page.getByRole('group', { name: /^Timeline of/ });

t.test('every reason of the ledger is read from the timeline, with the sentence of linod why', async (t) => {
  const page = await live.signIn('viewer', 'rules/1');
  const table = page.getByRole('table');
  await table.waitFor();
  const told = JSON.parse(await live.site.linod('why', '1', '--since', '1d', '--json')) as {
    readonly entries: ReadonlyArray<{ readonly reason: string; readonly sentence: string }>;
  };
  t.same([...new Set(told.entries.map(({ reason }) => reason))].sort(), [...reasons].sort());
  const rows = await table.locator('[data-row]').allTextContents();
  const squeezed = rows.map((row) => row.replaceAll(/\s+/g, ' '));
  for (const { reason, sentence } of told.entries) {
    const isThere = squeezed.some((row) => row.includes(reason) && row.includes(sentence));
    t.ok(isThere, `${reason}: ${sentence}`);
  }
  const drawn = await page.evaluate<string[]>(
    `[...document.querySelectorAll('[data-reason]')].map((shape) => shape.dataset.reason)`,
  );
  t.same([...new Set(drawn)].sort(), [...reasons].sort(), 'the axis has them, too');
  await page.getByRole('heading', { level: 1, name: evil }).waitFor();
  await isInert(t, page);
});

t.test(
  'the timeline zooms and moves by keys, wheel, pointer and buttons, and the address follows',
  async (t) => {
    const page = await live.signIn('viewer', `rules/${plain}?${period(begin, begin + hour)}`);
    const timeline = timelineOf(page);
    await timeline.waitFor();
    const shown = () => {
      const query = new URL(page.url()).searchParams;
      const [from, to] = ['from', 'to'].map((name) => Date.parse(query.get(name) ?? '')) as [number, number];
      return { from: (from - begin) / hour, length: (to - from) / hour };
    };
    const until = (what: string, condition: (now: ReturnType<typeof shown>) => boolean) =>
      eventually(what, async () => condition(shown()));
    await timeline.focus();
    await page.keyboard.press('+');
    await until('it is half as long', ({ length, from }) => length === 0.5 && from === 0.25);
    await page.keyboard.press('-');
    await until('it is as before', ({ length, from }) => length === 1 && from === 0);
    await page.keyboard.press('ArrowRight');
    await until('it is later', ({ from }) => from === 0.2);
    await page.getByRole('button', { name: 'Earlier' }).click();
    await until('it is earlier', ({ from }) => from === -0.3);
    await page.getByRole('button', { name: 'Zoom out' }).click();
    await until('it is longer', ({ length }) => length === 2);
    const { x = 0, y = 0, width = 0 } = (await timeline.boundingBox()) ?? {};
    await page.mouse.move(x + width / 2, y + 80);
    await page.mouse.down();
    await page.mouse.move(x + width / 4, y + 80, { steps: 3 });
    await page.mouse.up();
    await until('it is dragged', ({ from, length }) => Math.abs(from + 0.3) < 0.01 && length === 2);
    await page.mouse.wheel(0, -100);
    await until('it is shorter', ({ length }) => length < 2);
    const before = shown();
    await page.reload();
    await timeline.waitFor();
    t.same(shown(), before, 'the address keeps it');
    await timeline.focus();
    await page.keyboard.press('Home');
    await eventually('the address is empty', async () => new URL(page.url()).search === '');
  },
);

t.test('a click on the timeline opens the run, or shows the sentence', async (t) => {
  const page = await live.signIn('viewer', `rules/1?${period(begin, begin + 4 * 60_000)}`);
  const click = async (target: Locator) => {
    const { x = 0, y = 0, width = 0, height = 0 } = (await target.boundingBox()) ?? {};
    await page.mouse.click(x + width / 2, y + height / 2);
  };
  const late = page.locator('[data-reason=late] text').first();
  await late.waitFor();
  await click(late);
  await page
    .locator('.chosen')
    .getByText(/run late, by 15 s/)
    .waitFor();
  await page.reload();
  await page
    .locator('.chosen')
    .getByText(/run late, by 15 s/)
    .waitFor();
  t.match(page.url(), /entry=d\d+/);
  await click(page.locator('rect.run').first());
  await eventually('the run is open', async () => /\/runs\/\d+$/.test(page.url()));
});

t.test('clock changes and the future are on the axis and in the table', async (t) => {
  const [rule = 0] = await addRules(store, ['clocks']);
  await store.db
    .updateTable('job_rules')
    .set({ timezone: 'Europe/Tallinn' })
    .where('id', '=', rule)
    .execute();
  const page = await live.signIn(
    'viewer',
    `rules/${rule}?${period(Date.UTC(2025, 2, 30), Date.UTC(2025, 2, 31))}`,
  );
  await page.getByRole('cell', { name: 'the clocks go forward by 1 h' }).waitFor();
  t.equal(await page.locator('.clock-change').count(), 1);
  await page.getByRole('button', { name: 'Now' }).click();
  await page
    .getByRole('cell', { name: /^due, runs for about/ })
    .first()
    .waitFor();
  t.ok((await page.locator('rect.planned').count()) > 0);
});

t.test('an operator pauses, resumes and runs rules from the list', async (t) => {
  const page = await live.signIn('operator', 'rules');
  const row = page.getByRole('row').filter({ hasText: 'plain' });
  await row.getByRole('link', { name: 'failed' }).waitFor();
  await isInert(t, page);
  await row.getByRole('button', { name: 'Pause plain' }).click();
  await row.getByText('paused').waitFor();
  await row.getByRole('button', { name: 'Resume plain' }).click();
  await row.getByText('active').waitFor();

  await row.getByRole('button', { name: 'Run plain' }).click();
  const dialog = page.getByRole('dialog', { name: 'Run plain now' });
  await dialog.getByRole('textbox').fill('{"a":');
  await dialog.getByRole('button', { name: 'Run' }).click();
  await dialog.getByText(/^Args is no JSON/).waitFor();
  await dialog.getByRole('textbox').fill(`{"id": 9007199254740991, "text": ${JSON.stringify(evil)}}`);
  await dialog.getByRole('button', { name: 'Run' }).click();
  await dialog.waitFor({ state: 'detached' });
  const request = () =>
    store.db.selectFrom('job_requests').selectAll().where('rule_id', '=', plain).executeTakeFirst();
  t.equal((await request())?.args, JSON.stringify({ id: 9007199254740991, text: evil }));
  await isInert(t, page);

  await page.getByLabel('Name or procedure').fill('ir');
  await page.getByRole('row').filter({ hasText: 'plain' }).waitFor({ state: 'detached' });
  await page.getByRole('checkbox', { name: 'Select third' }).check();
  await page.getByRole('button', { name: 'Pause 1 rule' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Pause 1 rule' }).click();
  await page.getByRole('row').filter({ hasText: 'third' }).getByText('paused').waitFor();
  t.match(page.url(), /text=ir/);
});

t.test('an operator edits a rule, sees the next times before, and undoes it', async (t) => {
  const page = await live.signIn('operator', `rules/${plain}?tab=fields`);
  const when = page.getByLabel('when', { exact: true });
  await when.fill('every day at 03:30');
  await page
    .getByText(/ 03:30:00\+00:00/)
    .first()
    .waitFor();
  t.equal(await page.getByRole('listitem').filter({ hasText: ' 03:30:00' }).count(), 20);
  await page.getByLabel('overlap', { exact: true }).fill('odd');
  await page
    .getByRole('alert')
    .getByText(/^Expected overlap to be one of skip/)
    .waitFor();
  t.ok(await page.getByRole('button', { name: 'Save' }).isDisabled());
  await page.getByLabel('overlap', { exact: true }).fill('allow');
  await page
    .getByText(/ 03:30:00\+00:00/)
    .first()
    .waitFor();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText(/Overridden by operator at .*; suggested: skip\./).waitFor();

  await page.getByRole('button', { name: 'History' }).click();
  await page.getByRole('row').filter({ hasText: 'overlap: suggested → allow' }).getByRole('button').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Undo' }).click();
  await page.getByRole('row').filter({ hasText: 'overlap: allow → suggested' }).waitFor();
});

t.test('a viewer changes nothing', async (t) => {
  const page = await live.signIn('viewer', 'rules');
  await page.getByRole('row').filter({ hasText: 'plain' }).waitFor();
  t.equal(await page.getByRole('button', { name: /^(Run|Pause|Resume)/ }).count(), 0);
  t.equal(await page.getByRole('checkbox').count(), 0);
  await page.goto(`${live.url}rules/${plain}?tab=fields`);
  await page
    .getByText(/every hour/)
    .first()
    .waitFor();
  t.equal(await page.locator('main input').count(), 0);
  t.equal(await page.getByRole('button', { name: /^(Run|Stop|Pause|Resume|Save)/ }).count(), 0);
});

t.test('axe-core finds nothing, in both themes, on narrow and wide screens', async (t) => {
  const page = await live.signIn('operator', 'rules');
  await page.getByRole('row').filter({ hasText: 'plain' }).waitFor();
  await page.getByRole('checkbox', { name: 'Select second' }).check();
  t.same(await allAccessFaults(page), [], 'rules');
  await page.getByRole('button', { name: 'Run plain' }).click();
  await page.getByRole('dialog').waitFor();
  t.same(await allAccessFaults(page), [], 'running');
  for (const tab of ['timeline', 'fields', 'history']) {
    await page.goto(`${live.url}rules/1?tab=${tab}&entry=d1`);
    await page.locator('table, .field').first().waitFor();
    t.same(await allAccessFaults(page), [], tab);
    await page.setViewportSize({ width: 360, height: 700 });
    t.ok(await page.evaluate('document.documentElement.scrollWidth <= 360'), `${tab} fits on a phone`);
    await page.setViewportSize({ width: 1280, height: 800 });
  }
  t.same(live.faults, []);
});

t.test('screenshots', { skip: process.env.SHOTS === undefined }, async () => {
  const page = await live.signIn('operator', 'rules');
  await page.getByRole('row').filter({ hasText: 'plain' }).waitFor();
  await page.screenshot({ path: '/work/h/scratch-crules/rules.png' });
  await page.goto(`${live.url}rules/1?${period(begin, begin + 4 * 60_000)}`);
  await page.getByRole('table').waitFor();
  await page.screenshot({ path: '/work/h/scratch-crules/rule.png' });
  await page.goto(`${live.url}rules/${plain}`);
  await page.getByRole('table').waitFor();
  await page.screenshot({ path: '/work/h/scratch-crules/plain.png' });
  await page.setViewportSize({ width: 360, height: 700 });
  await page.screenshot({ path: '/work/h/scratch-crules/phone.png', fullPage: true });
  await page.goto(`${live.url}rules/${plain}?tab=fields`);
  await page.locator('.field').first().waitFor();
  await page.screenshot({ path: '/work/h/scratch-crules/fields-phone.png' });
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.screenshot({ path: '/work/h/scratch-crules/fields.png' });
});
