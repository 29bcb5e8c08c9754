// What the setting `redact` hides never leaves the server, nor does it get into the audit or the log.

import t from 'tap';
import '../../procedures/outbox/console.js';
import { queueMail } from '../../procedures/mail/queue-mail.js';
import { queuePush } from '../../procedures/push/queue-push.js';
import { savePushSubscription } from '../../procedures/push/subscriptions.js';
import type { ProcedureTables } from '../../procedures/store/tables.js';
import { ConsoleServer } from '../support/console-server.js';

const keys = {
  p256dh: 'BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM',
  auth: 'tBHItJI5svbpez7KI4CCXg',
};

t.test('arguments, messages, mails and pushes are shown without what redact names', async (t) => {
  const redact = ['password', 'user.token', 'html', 'subject'];
  const server = await ConsoleServer.start(t, { redact });
  const db = server.store.db.withTables<ProcedureTables>();
  const rule = { seqno: 1, name: 'mails', procedure: 'mails', suggestion: '{}', created_at: 1 };
  await db.insertInto('job_rules').values(rule).execute();
  const secret = 'hunter2';
  const args = JSON.stringify({ password: secret, user: { token: secret, id: 7 } });
  const job = { rule_id: 1, procedure: 'mails', worker_id: 'w1', start_datetime: 1, end_datetime: 2 };
  const stored = { ...job, status: 'done', message: 'sent', args, checkpoint: args } as const;
  await db.insertInto('jobs').values(stored).execute();
  const layer = await server.site.openLayer({ maxDeliveries: 1 });
  t.teardown(() => layer.close());
  const message = { type: 'order.paid', password: secret, user: { token: secret, id: 7 } };
  await layer.send('broken', message);
  await (await layer.receive('broken', { lease: 60_000 })).release();
  await layer.receiveMany('broken', { lease: 60_000, waitMs: 0 });
  await layer.send('orders', message);
  await queueMail(db, { to: 'ann@example.org', subject: secret, text: 'tere', html: secret });
  await savePushSubscription(db, 'ann', { endpoint: 'https://push.example.org/1', keys });
  await queuePush(db, { to: 'ann', data: { title: 'tere', password: secret } });

  const admin = await server.signedIn('admin');
  for (const [path, shown] of [
    ['api/jobs/1', /\\"id\\":7/],
    ['api/channels/peek?channel=orders', /order\.paid.*id/],
    ['api/channels/dead?channel=broken', /order\.paid.*id/],
    ['api/outbox?kind=mail', /ann@example\.org/],
    ['api/outbox/mail/1', /ann@example\.org.*tere/],
    ['api/outbox/push/1', /tere/],
  ] as const) {
    const { status, text } = await admin.get(path);
    t.equal(status, 200, path);
    t.match(text, '[redacted]', path);
    t.match(text, shown, path);
    t.notMatch(text, secret, path);
  }
  t.match((await admin.get(`api/jobs?text=${secret}`)).json(), { rows: [] }, 'no search finds it');
  t.match((await admin.get('api/jobs?text=sent')).json(), { rows: [{ id: 1 }] });

  t.equal((await admin.post('api/jobs/1/again')).status, 200);
  t.equal((await admin.post('api/rules/1/run', { args })).status, 200);
  const requests = await db.selectFrom('job_requests').select('args').execute();
  t.same(requests, [{ args }, { args }], 'the runs get it');
  const broken = `{"user": 7, "password": "${'x'.repeat(200)}${secret}"`;
  t.equal((await admin.post('api/rules/1/run', { args: broken })).status, 400);
  const audit = (await admin.get('api/audit')).text;
  t.match(audit, /job\.again.*rule\.run|rule\.run.*job\.again/);
  t.notMatch(audit, secret);
  const rows = await db.selectFrom('console_audit').selectAll().execute();
  t.notMatch(JSON.stringify(rows), secret);
});
