// Runs, the overview and the worker in a browser, of a worker that really runs them.

import t from 'tap';
import { RunJob } from '../../src/actors/run-job.js';
import { loadSite } from '../../src/site/site.js';
import { allAccessFaults, ConsoleSite } from '../support/console.js';
import { eventually } from '../support/programs.js';

const script = '<script>globalThis.isHurt = true</script><img src=x onerror="globalThis.isHurt = true">';

const work = `import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { scheduleDaily } from 'linod';

scheduleDaily({ hour: 3 }, async function slow(ar) {
  ar.info('begins ${script}');
  ar.progress(1, 3, 'letters');
  await setTimeout(600_000, undefined, { signal: ar.signal });
});
scheduleDaily({ hour: 3, retries: 1, retryDelaySeconds: 0.1, onFailure: 'retry' }, function broken(ar) {
  throw new Error('${script}');
});
scheduleDaily({ hour: 3 }, async function short(ar) {
  while (!existsSync(ar.site.directory + '/go')) await setTimeout(20);
});
`;

const site = await ConsoleSite.start(t, { files: { 'procedures/work.ts': work } });
await site.site.initiate();
const context = {
  site: await loadSite(site.site.directory, { environment: {} }),
  store: await site.site.store(),
};
const page = await site.as('operator', 'runs');

t.test('a run appears in the list, shows progress and log as they come, and is stopped', async (t) => {
  await page.getByText('No run matches.').waitFor();
  await RunJob.request(context, 'slow', { args: { text: script, id: 17 } });
  await page.getByRole('row').getByText('1 of 3 letters').waitFor();
  await page.getByRole('table').getByRole('link', { name: '1', exact: true }).click();
  await page.getByRole('region', { name: 'Log' }).getByText(`begins ${script}`).waitFor();
  await page.getByRole('region', { name: 'Arguments' }).getByText('"id": 17').waitFor();
  t.same(await allAccessFaults(page), []);

  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('definition').getByText('cancelled').waitFor();
  t.equal(await page.getByRole('button', { name: 'Stop' }).count(), 0);
  t.match(await site.site.jobs(), [{ status: 'cancelled' }]);
});

t.test('it is run again with its arguments, and the page leads to the new run', async (t) => {
  await page.getByRole('button', { name: 'Run again' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Run' }).click();
  await page.locator('main').getByRole('link', { name: 'run 2' }).click();
  await page.getByRole('heading', { level: 1, name: 'Run 2' }).waitFor();
  t.match(await site.site.jobs(), [{ args: { text: script, id: 17 } }, { args: { text: script, id: 17 } }]);
});

t.test('a failure shows its stack and its attempts; stored scripts do nothing', async () => {
  const asked = await RunJob.request(context, 'broken');
  const job = await RunJob.ended(context, asked.request);
  await page.goto(`${site.url}runs/${job?.id}`);
  await page
    .getByRole('region', { name: 'Message' })
    .getByText(/at .*work\.ts/)
    .waitFor();
  await page.getByRole('heading', { name: 'Attempts' }).waitFor();
  await page
    .locator('main')
    .getByRole('link', { name: `run ${Number(job?.id) - 1}` })
    .waitFor();
});

t.test('filters are in the address, and are those of the list', async (t) => {
  await page.goto(`${site.url}runs?status=failed`);
  const rows = page.getByRole('table').locator('tbody').getByRole('row');
  await eventually('both attempts are shown', async () => (await rows.count()) === 2);
  await page.getByLabel('Text').fill('nothing has this');
  await page.getByText('No run matches.').waitFor();
  t.match(page.url(), /status=failed&text=nothing\+has\+this/);
});

t.test('the overview leads to what failed, and shows what runs', async () => {
  await page.goto(site.url);
  await page.getByRole('table', { name: 'Runs that run' }).getByRole('link', { name: 'slow' }).waitFor();
  await page
    .getByRole('list', { name: 'Problems' })
    .getByRole('link', { name: /broken, is paused/ })
    .click();
  await page.getByRole('definition').getByRole('link', { name: 'failed' }).click();
  await page.getByRole('region', { name: 'Message' }).waitFor();
});

t.test('a running rule is stopped on its own page', async () => {
  const [job] = await site.site.jobs('slow');
  await page.goto(`${site.url}rules/${job?.ruleId}`);
  await page.getByRole('button', { name: 'Stop slow' }).click();
  await site.site.untilJobs('slow', 'none runs', (jobs) => jobs.every(({ status }) => status !== 'running'));
});

t.test('a worker is paused and resumed by a command and in the browser, and ends when drained', async (t) => {
  await site.as('operator', 'workers');
  const state = (text: string) => page.getByRole('cell', { name: text, exact: true }).first();
  await state('alive').waitFor();
  await eventually('memory and lag are shown', async () => {
    const text = (await page.getByRole('row').last().textContent()) ?? '';
    return /\d (K|M)iB/.test(text) && /\d ms/.test(text);
  });
  await page.getByRole('button', { name: /^Pause/ }).click();
  await page.getByText(/starts no more jobs until it is resumed/).waitFor();
  await state('paused').waitFor();
  await site.site.run('linod', 'rule', 'short', 'run');
  t.same(await site.site.jobs('short'), [], 'no job has begun');

  const [{ id }] = JSON.parse(await site.site.linod('workers', '--json'));
  const resumed = await site.site.linod('workers', 'resume', id, '--json');
  t.same(JSON.parse(resumed), { worker: id, action: 'resume' });
  await state('alive').waitFor();
  await site.site.untilJobs('short', 'one runs', ([job]) => job?.status === 'running');

  t.equal(await page.getByRole('button', { name: /^Drain/ }).count(), 0, 'only an admin drains');
  await site.as('admin', 'workers');
  await page.getByRole('button', { name: /^Drain/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Drain' }).click();
  await state('draining').waitFor();
  site.site.write({ go: '' });
  t.match(await site.worker.ended(), { code: 0 });
  t.match(await site.site.jobs('short'), [{ status: 'done' }], 'its job went on to its end');
  await page.getByText('No worker lives.').waitFor();
  t.equal(await page.evaluate('globalThis.isHurt'), undefined);
  t.same(site.tab.faults, []);
});
