// Mails of a site that really runs: its worker is killed at each step of a delivery, and it is counted what arrived.

import t, { type Test } from 'tap';
import type { ProcedureTables } from '../../procedures/index.js';
import { queueMail } from '../../procedures/index.js';
import { CommandShell } from '../support/command-shell.js';
import { LiveSite } from '../support/live-site.js';
import { eventually, type Program } from '../support/programs.js';
import { TestSmtpServer } from '../support/smtp.js';

interface MailSite {
  readonly site: LiveSite;
  readonly server: TestSmtpServer;
  queue(subject: string, text?: string): Promise<number>;
  /** `subject state copies`, of all mails, in the order of the queue. */
  outcome(): Promise<string[]>;
}

/** A site that looks for mails every second; `runIn` says where. */
async function openMailSite(t: Test, runIn = 'inline', mailConnections = 2): Promise<MailSite> {
  const server = await TestSmtpServer.start(t);
  const site = new LiveSite(t, {
    shippedProcedures: true,
    mailUrl: server.url,
    mailFrom: 'shop@example.org',
    mailConnections,
    graceSeconds: 2,
  });
  await site.linod('rules', 'sync');
  const { db } = await site.store();
  const often = db.selectFrom('job_rules').select('id').where('procedure', '=', 'send_pending_emails_often');
  const { id } = await often.executeTakeFirstOrThrow();
  await site.linod('rule', String(id), 'set', 'every=1', `runIn=${runIn}`);
  return {
    site,
    server,
    queue: async (subject, text = 'Hello') =>
      await queueMail(db, { to: `${subject}@example.org`, subject, text }),
    outcome: async () => {
      const rows = await db
        .withTables<ProcedureTables>()
        .selectFrom('outbox_mails')
        .select(['subject', 'status', 'message_id'])
        .orderBy('id')
        .execute();
      return rows.map(
        (row) => `${row.subject} ${row.status} ${server.ids.filter((id) => id === row.message_id).length}`,
      );
    },
  };
}

const allSent = async ({ outcome }: MailSite): Promise<boolean> =>
  (await outcome()).every((line) => / (sent|failed) /.test(line));

t.test(
  'a worker that is killed at any step of a delivery loses no mail and repeats one at most',
  async (t) => {
    // One after the other, so that each death concerns one mail.
    const bench = await openMailSite(t, 'inline', 1);
    const { site, server, queue, outcome } = bench;
    let worker: Program;
    const kill = async () => {
      worker.kill('SIGKILL');
      await worker.ended();
    };
    const killed = new Set<string>();
    /** Kills the worker the first time that this mail comes to its step. */
    const killAt = async (name: string, to: string | undefined, die = kill): Promise<undefined> => {
      if (to !== `${name}@example.org` || killed.has(name)) return;
      killed.add(name);
      await die();
    };
    server.manners.recipient = async (to) => await killAt('before-data', to);
    server.manners.begun = async ([to]) => await killAt('during-data', to);
    server.manners.taken = async ({ to: [to] }) => {
      await killAt('after-data', to);
      // The answer waits in the worker's socket when it dies.
      await killAt('before-mark', to, async () => {
        worker.kill('SIGSTOP');
        setTimeout(() => worker.kill('SIGKILL'), 50);
      });
      return undefined;
    };
    for (const name of ['before-data', 'during-data', 'after-data', 'before-mark']) {
      worker = await site.startWorker('--initiate');
      await queue(name, name === 'during-data' ? 'x'.repeat(3_000_000) : 'Hello');
      await worker.ended();
    }
    worker = await site.startWorker('--initiate');
    await queue('afterwards');
    await eventually('all mails are through', async () => await allSent(bench));
    const lines = await outcome();
    t.comment(lines.join('; '));
    t.match(lines, [
      'before-data sent 1',
      'during-data sent 1',
      'after-data sent 2',
      'before-mark sent 2',
      'afterwards sent 1',
    ]);
    worker.kill('SIGTERM');
    t.match(await worker.ended(), { code: 0 });
  },
);

t.test(
  'two workers send each mail once, in threads and in processes, and end when they are told to',
  async (t) => {
    for (const runIn of ['thread', 'process']) {
      const bench = await openMailSite(t, runIn);
      const { site, server, queue, outcome } = bench;
      const count = 40;
      for (let i = 0; i < count; i++) await queue(`mail-${i}`);
      const workers = await Promise.all([site.startWorker('--initiate'), site.startWorker('--initiate')]);
      await eventually('all mails are through', async () => await allSent(bench));
      t.same(
        await outcome(),
        Array.from({ length: count }, (_, i) => `mail-${i} sent 1`),
        runIn,
      );
      // One that is told to end while the server is slow leaves the mail to the next.
      let isAsked = false;
      server.manners.sender = async () => {
        isAsked = true;
        return await new Promise<undefined>(() => undefined);
      };
      await queue('slow');
      await eventually('a mail is under way', () => isAsked);
      for (const worker of workers) worker.kill('SIGTERM');
      for (const worker of workers)
        t.match(await worker.ended(), { code: 0 }, `${runIn}: ends within its grace`);
      t.equal((await outcome()).at(-1), 'slow queued 0', runIn);
    }
  },
);

t.test('linod mail shows the outbox, has mails tried again, and shows one', async (t) => {
  const { site, queue } = await openMailSite(t);
  const shell = await CommandShell.start(t, site.directory);
  const { db } = await site.store();
  await queue('One', 'The text');
  await queueMail(db, { to: 'bob@example.org', subject: 'Two', text: 't', html: '<p>t</p>' });
  const rows = db.withTables<ProcedureTables>();
  await rows
    .updateTable('outbox_mails')
    .set({ status: 'failed', answer: '550 no such user', attempts: 1 })
    .where('id', '=', 2)
    .execute();
  const listed = await shell.run('linod mail queue');
  t.match(listed, {
    code: 0,
    stdout: /2 {2}failed {2}bob@example.org {2}Two .* 550 no such user/,
    stderr: /in all: 1 failed, 1 queued/,
  });
  t.match(JSON.parse((await shell.run('linod mail queue --state failed --json')).stdout), [
    { id: 2, state: 'failed' },
  ]);
  t.match(
    (await shell.run('linod mail preview 1')).stdout,
    /^From: shop@example.org\nTo: One@example.org\nSubject: One\n[\s\S]*\n\nThe text\n$/,
  );
  t.equal((await shell.run('linod mail preview 2 --html')).stdout, '<p>t</p>\n');
  t.match(await shell.run('linod mail preview 1 --html'), {
    code: 1,
    stderr: /mail 1 has no HTML/,
  });
  t.match(await shell.run('linod mail retry 2 7'), {
    code: 1,
    stderr: /1 mail tried again\nno failed or deferred mail with number 7\n/,
  });
  t.match(await shell.run('linod mail retry'), { code: 2, stderr: /either numbers of mails or --all/ });
  t.match(await shell.run('linod mail queue --state lost'), {
    code: 2,
    stderr: /expected queued, sending/,
  });
  t.match(await rows.selectFrom('outbox_mails').selectAll().where('id', '=', 2).executeTakeFirst(), {
    status: 'queued',
    attempts: 0,
  });
});
