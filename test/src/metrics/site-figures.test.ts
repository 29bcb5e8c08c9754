// What a worker shows of the whole site, on both databases.

import t, { type Test } from 'tap';
import { InMemoryChannelLayer } from '../../../channels/index.js';
import { createMetrics, metricsText } from '../../../src/metrics/metrics.js';
import { clearStore, readLayer, readStore } from '../../../src/metrics/site-figures.js';
import { openStore } from '../../../src/store/store.js';
import { testDirectory } from '../../support/directory.js';
import { PostgresServer } from '../../support/postgres.js';

const databases: Readonly<Record<string, (t: Test) => Promise<string>>> = {
  SQLite: async (t) => `sqlite:${testDirectory(t)}/linod.db`,
  PostgreSQL: async (t) => await (await PostgresServer.start(t)).createDatabase(),
};

for (const [name, urlOf] of Object.entries(databases)) {
  t.test(`the database says what runs, what waits and what has succeeded, on ${name}`, async (t) => {
    const store = await openStore({ url: await urlOf(t) });
    t.teardown(() => store.close());
    const { db } = store;
    const rule = { seqno: 1, procedure: 'mail', suggestion: '{}', created_at: 1 };
    const rules = [
      { ...rule, name: 'mail', next_due_at: 60_000, failures_in_row: 2, cancelled_at: null },
      { ...rule, name: 'mail', next_due_at: 90_000, failures_in_row: 0, cancelled_at: null },
      { ...rule, name: 'off', next_due_at: null, failures_in_row: 0, cancelled_at: 5 },
    ];
    const ids = await db.insertInto('job_rules').values(rules).returning('id').execute();
    const [first, second, third] = ids.map(({ id }) => id).sort((a, b) => a - b);
    if (first === undefined || second === undefined || third === undefined) throw new Error('unreachable');
    const job = { procedure: 'mail', message: '', worker_id: 'w', start_datetime: 1 };
    await db
      .insertInto('jobs')
      .values([
        { ...job, rule_id: first, due_at: 1, status: 'done', end_datetime: 2500 },
        { ...job, rule_id: second, due_at: 2, status: 'done', end_datetime: 1500 },
        { ...job, rule_id: second, due_at: 3, status: 'failed', end_datetime: 9000 },
        { ...job, rule_id: third, due_at: 4, status: 'running', end_datetime: null },
      ])
      .execute();
    const request = { rule_id: first, requested_at: 1, requested_by: 'robin' };
    await db
      .insertInto('job_requests')
      .values([
        { ...request, action: 'run' },
        { ...request, action: 'run', handled_at: 2 },
        { ...request, action: 'cancel' },
      ])
      .execute();
    await db
      .insertInto('alarms')
      .values({ kind: 'lost', subject: 'x', text: 'x', raised_at: 1, seen_at: 1 })
      .execute();

    const metrics = createMetrics();
    await readStore(db, metrics);
    await readStore(db, metrics);
    const lines = metricsText(metrics)
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    t.same(lines.sort(), [
      'linod_alarms_open{kind="lost"} 1',
      'linod_rule_failures_in_row{rule="mail"} 2',
      'linod_rule_failures_in_row{rule="off"} 0',
      'linod_rule_last_success_timestamp_seconds{rule="mail"} 2.5',
      'linod_rule_next_due_timestamp_seconds{rule="mail"} 90',
      'linod_rules{state="active"} 2',
      'linod_rules{state="cancelled"} 1',
      'linod_runs_requested 1',
      'linod_runs_running 1',
      'linod_workers 0',
    ]);
    clearStore(metrics);
    t.equal(metricsText(metrics), '');
  });
}

t.test('the layer says how full its channels are', async (t) => {
  const layer = new InMemoryChannelLayer({ capacity: 7 });
  t.teardown(() => layer.close());
  await layer.send('orders', { type: 'order.add' });
  const metrics = createMetrics();
  await readLayer(layer, metrics);
  t.match(metricsText(metrics), /^linod_channel_depth\{channel="orders"\} 1$/m);
  t.match(metricsText(metrics), /^linod_channel_capacity\{channel="orders"\} 7$/m);
});

t.test('a layer reports what it accepted and refused', async (t) => {
  const seen: unknown[] = [];
  const onSend = (...sent: unknown[]) => void seen.push(sent);
  const layer = new InMemoryChannelLayer({ capacity: 2, onSend });
  t.teardown(() => layer.close());
  const message = { type: 'order.add' };
  await layer.send('orders', message);
  await layer.sendMany('orders', [message, message, message]);
  await t.rejects(layer.send('orders', message), { code: 'CHANNELS_ERR_CHANNEL_FULL' });
  await layer.groupSend('all', message);
  t.same(seen, [
    ['orders', 1, 0],
    ['orders', 1, 2],
    ['orders', 0, 1],
    [null, 1, 0],
  ]);
});
