// Workers in the console: how they are, and pausing, resuming and draining one.

import t from 'tap';
import type { AuditRow, ErrorBody, Page, WorkerView } from '../../src/console/api.js';
import { allAccessFaults, ConsoleSite } from '../support/console.js';
import { ConsoleServer } from '../support/console-server.js';
import { eventually } from '../support/programs.js';

const slow = `import { scheduleDaily } from 'linod';
import { setTimeout } from 'node:timers/promises';

export const slow = scheduleDaily(async function slow(ar) {
  ar.info('begins');
  await setTimeout(1500);
});
`;

t.test('a worker is paused and resumed by a command and in the browser, and ends when drained', async (t) => {
  const site = await ConsoleSite.start(t, { files: { 'procedures/slow.ts': slow } });
  await site.site.initiate();
  const page = await site.signIn('admin', 'workers');
  const state = (text: string) => page.getByRole('cell', { name: text, exact: true }).first();
  await state('alive').waitFor();
  await eventually('memory and lag are shown', async () => {
    const text = (await page.getByRole('row').last().textContent()) ?? '';
    return /\d (K|M)iB/.test(text) && /\d ms/.test(text);
  });
  t.same(await allAccessFaults(page), []);

  await page.getByRole('button', { name: /^Pause/ }).click();
  await page.getByText(/starts no more jobs until it is resumed/).waitFor();
  await state('paused').waitFor();
  await site.site.run('linod', 'rule', 'slow', 'run');
  t.same(await site.site.jobs(), [], 'no job has begun');

  const [{ id }] = JSON.parse(await site.site.linod('workers', '--json'));
  const resumed = await site.site.linod('workers', 'resume', id, '--json');
  t.same(JSON.parse(resumed), { worker: id, action: 'resume' });
  await state('alive').waitFor();
  await site.site.untilJobs('slow', 'one runs', ([job]) => job?.status === 'running');

  const operator = await site.tab('operator', 'workers');
  await operator.getByRole('button', { name: /^Pause/ }).waitFor();
  t.equal(await operator.getByRole('button', { name: /^Drain/ }).count(), 0, 'only an admin drains');
  await page.getByRole('button', { name: /^Drain/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Drain' }).click();
  await state('draining').waitFor();
  t.match(await site.worker.ended(), { code: 0 });
  t.match(await site.site.jobs(), [{ status: 'done' }], 'its job went on to its end');
  await page.getByText('No worker lives.').waitFor();
  t.same(site.faults, []);
});

t.test('an order to a worker that does not run is refused, and stands in the audit', async (t) => {
  const server = await ConsoleServer.start(t);
  const admin = await server.signedIn('admin');
  const refused = await admin.post('api/workers/nobody[1]@x/drain');
  t.match(refused, { status: 404 });
  t.match(refused.json<ErrorBody>(), { error: { code: 'LINOD_ERR_UNKNOWN_WORKER' } });
  const [row] = (await admin.get('api/audit')).json<Page<AuditRow>>().rows;
  t.match(row, { user: 'admin', action: 'worker.drain', target: 'worker nobody[1]@x' });
  const viewer = await server.signedIn('viewer');
  t.same((await viewer.get('api/workers')).json<WorkerView[]>(), []);
});
