// The pages of the rules in a browser, and the timeline of one rule.

import type { Locator, Page as Tab } from 'playwright-core';
import t, { type Test } from 'tap';
import { reasons } from '../../../src/rules/reasons.js';
import type { Store } from '../../../src/store/store.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { gate } from '../../support/gate.js';
import { eventually } from '../../support/programs.js';
import { addJob, addRules, hour } from '../../support/rule-rows.js';
import { openBench } from '../../support/site.js';
import { site } from './site.js';

const evil = '<script>globalThis.isBroken = 1</script><img src=x onerror="globalThis.isBroken = 1">';

/** Makes a rule with every reason of the ledger, by decisions of a scheduler on a clock of its own. */
async function provokeReasons(
  t: Test,
  store: Store,
): Promise<{ readonly tick: number; readonly begin: number }> {
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
  const isTick = store.db.selectFrom('job_rules').select('id').where('procedure', '=', 'tick');
  const { id: tick } = await isTick.executeTakeFirstOrThrow();
  await runAfter(10);
  // Late, and two more are dropped.
  clock.advance(25_000);
  bench.tasks.startPolling();
  await runAfter(0);
  await bench.requests.add(tick, 'run', 'robin', { args: { text: evil } });
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
    .where('id', '=', tick)
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
  await bench.rules.edit(tick, { every: 20, name: evil });
  await bench.rules.cancel(tick);
  clock.advance(60_000);
  await bench.rules.resume(tick);
  await bench.rules.sync([]);
  await bench.tasks.setup();
  await runAfter(600);
  clock.setTo(clock.now() - 400_000);
  await bench.tasks.run();
  const until = new Date(clock.now() + 25_000).toISOString().slice(0, 19);
  await bench.rules.edit(tick, { until });
  await runAfter(20);
  await runAfter(20);
  return { tick, begin };
}

const store = await site.site.store();
export const { tick, begin } = await provokeReasons(t, store);
export const [plain = 0] = await addRules(store, ['plain']);
await addRules(store, ['second', 'third']);
await addJob(store, plain, begin, 'failed', `Error: ${evil}`);

export const period = (from: number, to: number) =>
  new URLSearchParams({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });

async function isInert(t: Test, page: Tab): Promise<void> {
  t.equal(await page.evaluate('globalThis.isBroken'), undefined);
  t.equal(await page.locator('img, main script').count(), 0);
}

const timelineOf = (page: Tab): Locator => page.getByRole('group', { name: /^Timeline of/ });

t.test('every reason of the ledger is read from the timeline, with the sentence of linod why', async (t) => {
  const page = await site.as('viewer', `rules/${tick}`);
  const table = page.getByRole('table');
  await table.waitFor();
  const told = JSON.parse(await site.site.linod('why', String(tick), '--since', '1d', '--json')) as {
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
    const page = await site.as('viewer', `rules/${plain}?${period(begin, begin + hour)}`);
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
    await until('it is later', ({ from }) => from === 0.25);
    await page.getByRole('button', { name: 'Earlier' }).click();
    await until('it is earlier', ({ from }) => from === 0);
    await page.getByRole('button', { name: 'Zoom out' }).click();
    await until('it is longer', ({ length }) => length === 2);
    const { x = 0, y = 0, width = 0 } = (await timeline.boundingBox()) ?? {};
    await page.mouse.move(x + width / 2, y + 80);
    await page.mouse.down();
    await page.mouse.move(x + width / 4, y + 80, { steps: 3 });
    await page.mouse.up();
    await until('it is dragged', ({ from, length }) => Math.abs(from) < 0.01 && length === 2);
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
  const page = await site.as('viewer', `rules/${tick}?${period(begin, begin + 4 * 60_000)}`);
  const late = page.locator('[data-reason=late]').first();
  await late.waitFor();
  await late.click();
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
  await page.locator('rect.run').first().click();
  await eventually('the run is open', async () => /\/runs\/\d+$/.test(page.url()));
});

t.test('clock changes and the future are on the axis and in the table', async (t) => {
  const [rule = 0] = await addRules(store, ['clocks']);
  await store.db
    .updateTable('job_rules')
    .set({ timezone: 'Europe/Tallinn' })
    .where('id', '=', rule)
    .execute();
  const page = await site.as(
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
  const page = await site.as('operator', 'rules');
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

t.test('an admin edits a rule, sees the next times before, and undoes it', async (t) => {
  const page = await site.as('admin', `rules/${plain}?tab=fields`);
  const when = page.getByLabel('when', { exact: true });
  await when.fill('every day at 03:30');
  await page
    .getByText(/ 03:30:00\+0[23]:00/)
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
    .getByText(/ 03:30:00\+0[23]:00/)
    .first()
    .waitFor();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText(/Overridden by admin at .*; suggested: skip\./).waitFor();

  await page.getByRole('button', { name: 'History' }).click();
  await page.getByRole('row').filter({ hasText: 'overlap: suggested → allow' }).getByRole('button').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Undo' }).click();
  await page.getByRole('row').filter({ hasText: 'overlap: allow → suggested' }).waitFor();
});
