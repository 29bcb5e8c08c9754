import { join } from 'node:path';
import t from 'tap';
import '../../procedures/index.js';
import { Procedures } from '../../src/index.js';
import { ownMigrations } from '../../src/store/migrations/index.js';
import { openStore } from '../../src/store/store.js';
import { openProcedureBench } from '../support/request.js';

t.test(
  "the original's seven procedures are registered in its order with its recurrences, then push",
  async (t) => {
    t.same(
      Array.from(Procedures, ({ name, every, everyUnit }) => `${name} every ${every} ${everyUnit}`),
      [
        'clear_too_old_job_history every 1 daily',
        'event_notification_scheduler every 300 secondly',
        'checksummaries every 1 daily',
        'checkdata every 1 daily',
        'send_pending_emails_often every 10 secondly',
        'send_pending_emails_daily every 1 daily',
        'clear_seen_messages every 1 daily',
        'send_pending_push every 10 secondly',
      ],
    );
    for (const procedure of Procedures) {
      t.equal(procedure.value, procedure.name);
      t.equal(procedure.text, procedure.name);
      t.equal(procedure.startDatetime, procedure.everyUnit === 'daily' ? 'T20:00:00' : null);
    }
  },
);

t.test('without registrations the procedures only log at DEBUG', async (t) => {
  const bench = await openProcedureBench(t);
  for (const procedure of Procedures) {
    const { lines } = await bench.run(procedure);
    t.not(lines.length, 0, `${procedure.name} says something`);
    t.ok(
      lines.every((line) => line.startsWith('DEBUG ')),
      `${procedure.name} says it at DEBUG: ${lines.join('; ')}`,
    );
  }
});

t.test('without their tables the procedures fail with advice', async (t) => {
  const bench = await openProcedureBench(t);
  const path = join(bench.site.directory, 'other.db');
  const store = await openStore({ path, migrations: [ownMigrations] });
  t.teardown(() => store.close());
  const ar = { ...(await bench.request()), db: store.db };
  for (const procedure of Procedures) {
    // The history is the daemon's own.
    if (procedure.name === 'clear_too_old_job_history') await procedure.run(ar);
    else await t.rejects(procedure.run(ar), { code: 'LINOD_ERR_MISSING_TABLES', message: /linod migrate/ });
  }
});
