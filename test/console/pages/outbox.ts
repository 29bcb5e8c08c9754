// Mails and pushes in the console.

import t from 'tap';
import { queueMail } from '../../../procedures/mail/queue-mail.js';
import { queuePush } from '../../../procedures/push/queue-push.js';
import { savePushSubscription } from '../../../procedures/push/subscriptions.js';
import type { ProcedureTables } from '../../../procedures/store/tables.js';
import { allAccessFaults } from '../../support/console.js';
import { ConsoleServer } from '../../support/console-server.js';
import { site } from './site.js';

const script =
  '<script>globalThis.ran = 1</script><img src="http://192.0.2.1/x" onerror="globalThis.ran = 1">';

const keys = {
  p256dh: 'BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM',
  auth: 'tBHItJI5svbpez7KI4CCXg',
};

t.test('mails and pushes are listed by state, shown inert, and sent again', async (t) => {
  const db = (await site.site.store()).db.withTables<ProcedureTables>();
  const mail = await queueMail(db, { to: 'ann@example.org', subject: script, text: 'tere', html: script });
  await queueMail(db, { to: 'bob@example.org', subject: 'Order 17', text: 'paid' });
  const failed = { status: 'failed', attempts: 5, done_at: Date.now(), answer: '550 no such user' } as const;
  await db.updateTable('outbox_mails').set(failed).where('id', '=', mail).execute();
  await savePushSubscription(db, 'ann', { endpoint: 'https://push.example.org/1', keys });
  await queuePush(db, { to: 'ann', data: { title: script } });
  await db.updateTable('push_deliveries').set(failed).execute();

  const viewer = await site.as('viewer', 'outbox');
  await viewer.getByRole('row', { name: /bob@example.org/ }).waitFor();
  await viewer.getByLabel('State').selectOption('failed');
  await viewer.getByRole('row', { name: /bob@example.org/ }).waitFor({ state: 'detached' });
  await viewer.getByRole('row', { name: /ann@.*550 no such user/ }).waitFor();
  t.equal(await viewer.getByRole('button', { name: /^Retry/ }).count(), 0, 'a viewer changes nothing');
  await viewer.getByRole('button', { name: script }).click();
  const source = viewer.getByRole('region', { name: 'HTML, as source' });
  t.equal(await source.textContent(), script);
  t.equal(await viewer.evaluate('globalThis.ran'), undefined, 'no script ran');
  t.equal(await viewer.locator('img').count(), 0, 'nothing was loaded');
  t.same(await allAccessFaults(viewer, 'dialog'), []);

  const operator = await site.as('operator', 'outbox');
  for (const [kind, table, state] of [
    ['mail', 'outbox_mails', 'queued'],
    ['push', 'push_deliveries', 'pending'],
  ] as const) {
    await operator.goto(`${site.url}outbox?kind=${kind}`);
    await operator.getByRole('button', { name: /^Retry/ }).click();
    await operator.getByRole('dialog').getByRole('button', { name: 'Send again' }).click();
    await operator.getByRole('button', { name: /^Retry/ }).waitFor({ state: 'detached' });
    const states = await db.selectFrom(table).select('status').distinct().execute();
    t.same(states, [{ status: state }], `a ${kind} is sent again`);
  }
  await operator.getByRole('button', { name: 'push 1' }).click();
  await operator.getByRole('dialog').getByText('globalThis.ran').waitFor();
  await operator.goto(`${site.url}audit`);
  await operator.getByRole('cell', { name: `mail ${mail}` }).waitFor();
});

t.test('a site without the shipped procedures has no outbox', async (t) => {
  const server = await ConsoleServer.start(t);
  const viewer = await server.signedIn('viewer');
  t.match((await viewer.get('api/session')).json<object>(), { hasOutbox: false });
  t.match(await viewer.get('api/outbox'), { status: 404 });
});
