import t from 'tap';
import { type NewMail, queueMail, registerUnsubscribeUrl } from '../../../procedures/index.js';
import { mails } from '../../../procedures/mail/send-mails.js';
import { sendPendingEmailsDaily } from '../../../procedures/send-pending-emails-daily.js';
import { sendPendingEmailsOften } from '../../../procedures/send-pending-emails-often.js';
import type { SiteConfig } from '../../../src/index.js';
import { openProcedureBench, type ProcedureBench } from '../../support/request.js';
import { TestSmtpServer } from '../../support/smtp.js';
import { until } from '../../support/until.js';

type Tap = Parameters<typeof openProcedureBench>[0];

interface MailBench extends ProcedureBench {
  readonly server: TestSmtpServer;
}

/** A site whose mails go to a server of the test's own. */
async function openMailBench(t: Tap, config: SiteConfig = {}, secure = false): Promise<MailBench> {
  const server = await TestSmtpServer.start(t, { secure });
  const settings = { mailUrl: server.url, mailFrom: 'Shop <shop@example.org>', ...config };
  return { ...(await openProcedureBench(t, settings)), server };
}

async function queue({ db, clock }: MailBench, to: string, more: Partial<NewMail> = {}): Promise<number> {
  return await queueMail(db, { to, subject: `To ${to}`, text: 'Hello', at: new Date(clock.now()), ...more });
}

/** `recipient status attempts: answer`, in the order of the queue. */
async function outbox({ db }: MailBench): Promise<string[]> {
  const rows = await db.selectFrom('outbox_mails').selectAll().orderBy('id').execute();
  return rows.map((row) => `${row.recipient} ${row.status} ${row.attempts}: ${row.answer}`);
}

const recipients = ({ server }: MailBench) => server.mails.flatMap((mail) => mail.to);

t.test(
  'a mail arrives as it was written, over TLS and after authentication, under its own Message-ID',
  async (t) => {
    const bench = await openMailBench(t);
    const text = 'Grüße,\n.\n..dots\nand a very long line: '.concat('x'.repeat(2000));
    const html = '<p>Grüße<br><b>broken <i>HTML</p></i>';
    await queue(bench, '"أحمد، علي" <ahmad@example.org>', { subject: 'שלום → Ann', text, html });
    await bench.run(sendPendingEmailsOften);
    const [mail] = await bench.server.read();
    t.match(mail, {
      subject: 'שלום → Ann',
      from: { name: 'Shop', address: 'shop@example.org' },
      to: [{ name: 'أحمد، علي', address: 'ahmad@example.org' }],
      date: new Date(bench.clock.now()).toISOString(),
    });
    t.equal(mail?.text?.trim(), text);
    t.equal(mail?.html?.trim(), html);
    t.equal(bench.server.mails[0]?.isEncrypted, true);
    const row = await bench.db.selectFrom('outbox_mails').selectAll().executeTakeFirstOrThrow();
    t.same(bench.server.ids, [row.message_id]);
    t.match(row, { status: 'sent', answer: /^250 / });
    t.ok(
      bench.server.mails[0]?.raw
        .toString('latin1')
        .split('\r\n')
        .every((line) => line.length < 999),
    );
    await until('no connection is left', () => bench.server.connections === 0);
  },
);

t.test('TLS from the first byte on works, too', async (t) => {
  const bench = await openMailBench(t, {}, true);
  await queue(bench, 'ann@example.org');
  await bench.run(sendPendingEmailsOften);
  t.same(recipients(bench), ['ann@example.org']);
});

t.test('a mail of 10 MB arrives whole', async (t) => {
  const bench = await openMailBench(t);
  const text = `${'0123456789'.repeat(6)}\r\n`.repeat(170_000);
  await queue(bench, 'ann@example.org', { text });
  await queue(bench, 'bob@example.org');
  await bench.run(sendPendingEmailsOften);
  const [large, small] = bench.server.mails.toSorted((one, other) => other.raw.length - one.raw.length);
  const [, body = ''] = large?.raw.toString('latin1').split('\r\n\r\n') ?? [];
  t.equal(Buffer.from(body, 'base64').toString() === text, true);
  t.same([large?.to, small?.to], [['ann@example.org'], ['bob@example.org']]);
});

t.test('a refused mail fails, a deferred one is retried, and all others arrive', async (t) => {
  const bench = await openMailBench(t);
  const replies: Record<string, string | undefined> = {
    'gone@example.org': '550 5.1.1 no such user',
    'full@example.org': '452 4.2.2 mailbox is full',
  };
  bench.server.manners.recipient = (address) => replies[address];
  bench.server.manners.taken = ({ to }) =>
    to[0] === 'large@example.org' ? '552 5.3.4 too large' : undefined;
  for (const name of ['gone', 'full', 'large', 'ann', 'bob']) await queue(bench, `${name}@example.org`);
  await bench.run(sendPendingEmailsOften);
  t.match(await outbox(bench), [
    'gone@example.org failed 1: 550 5.1.1 no such user',
    'full@example.org deferred 1: 452 4.2.2 mailbox is full',
    'large@example.org failed 1: 552 5.3.4 too large',
    /^ann@example.org sent 1: 250 /,
    /^bob@example.org sent 1: 250 /,
  ]);
  replies['full@example.org'] = undefined;
  bench.clock.advance(mails.pauseAfter(1));
  await bench.run(sendPendingEmailsOften);
  t.same(recipients(bench).toSorted(), ['ann@example.org', 'bob@example.org', 'full@example.org']);
});

t.test('after a connection was lost in the middle, the mail arrives later, and only once', async (t) => {
  const bench = await openMailBench(t);
  let hangUps = 0;
  bench.server.manners.begun = ([to]) => {
    if (to !== 'ann@example.org' || hangUps === 2) return undefined;
    hangUps++;
    return 'hang up';
  };
  const text = 'x'.repeat(200_000);
  await queue(bench, 'ann@example.org', { text });
  await queue(bench, 'bob@example.org');
  await bench.run(sendPendingEmailsOften);
  bench.clock.advance(mails.pauseAfter(1));
  await bench.run(sendPendingEmailsOften);
  t.same(recipients(bench), ['bob@example.org']);
  t.match(await outbox(bench), [/^ann@example.org deferred 2: /, /^bob@example.org sent 1/]);
  bench.clock.advance(mails.pauseAfter(2));
  await bench.run(sendPendingEmailsOften);
  t.same(recipients(bench), ['bob@example.org', 'ann@example.org']);
});

t.test('a server that never answers gets a mail at most five times', async (t) => {
  const bench = await openMailBench(t);
  bench.server.manners.taken = ({ to }) => (to[0] === 'ann@example.org' ? 'hang up' : undefined);
  await queue(bench, 'ann@example.org');
  await queue(bench, 'bob@example.org');
  const first = await bench.run(sendPendingEmailsOften);
  t.match(
    first.lines.join('\n'),
    /WARNING mail 1 to ann@example.org: it may have been sent, and is sent again/,
  );
  for (let i = 1; i < 8; i++) {
    bench.clock.advance(mails.pauseAfter(i));
    await bench.run(sendPendingEmailsOften);
  }
  t.equal(recipients(bench).filter((to) => to === 'ann@example.org').length, 5);
  t.equal(new Set(bench.server.ids).size, 2, 'the copies have one Message-ID');
  t.match(await outbox(bench), [
    /^ann@example.org failed 5: given up: it may have been sent 5 times/,
    /sent 1/,
  ]);
});

t.test('after a day without the server all mails arrive in order, and no attempt counted', async (t) => {
  const bench = await openMailBench(t, { mailConnections: 1 });
  const { port } = bench.server;
  await bench.server.stop();
  const names = Array.from({ length: 20 }, (_, i) => `user${i}@example.org`);
  for (const [i, name] of names.entries()) {
    await queue(bench, name);
    if (i % 5 === 0) await bench.run(sendPendingEmailsOften);
    bench.clock.advance(3_600_000);
  }
  t.ok((await outbox(bench)).every((row) => / queued 0: /.test(row)));
  const { mails, ids } = await TestSmtpServer.start(t, { port }).then(async (server) => {
    await bench.run(sendPendingEmailsOften);
    return server;
  });
  t.same(
    mails.flatMap((mail) => mail.to),
    names,
  );
  t.equal(new Set(ids).size, names.length);
});

t.test('a wrong password, or missing TLS, stops all mails and counts as no attempt', async (t) => {
  const bench = await openMailBench(t);
  const wrong = [
    [bench.server.url.replace('p%40ss', 'wrong'), /535 5.7.8 wrong user or password/],
    [bench.server.url.replace(/ca=[^&]*&/, ''), /self-signed certificate/],
  ] as const;
  for (const [mailUrl, message] of wrong) {
    const other = await openProcedureBench(t, { mailUrl, mailFrom: 'shop@example.org' });
    const both = { ...other, server: bench.server };
    await queue(both, 'ann@example.org');
    const { lines } = await other.run(sendPendingEmailsOften);
    t.match(lines.find((line) => line.startsWith('WARNING')) ?? lines.at(-1), message);
    t.match(await outbox(both), [/^ann@example.org queued 0/]);
  }
  t.same(bench.server.mails, []);
});

t.test('a digest has the headers for unsubscribing with one click', async (t) => {
  const bench = await openMailBench(t);
  t.teardown(
    registerUnsubscribeUrl((to) => (to.startsWith('bob') ? 'nonsense' : `https://example.org/u?to=${to}`)),
  );
  for (const to of ['ann@example.org', 'bob@example.org']) {
    await queue(bench, to, { urgency: 'daily', subject: 'One' });
    await queue(bench, to, { urgency: 'daily', subject: 'Two' });
  }
  const { lines } = await bench.run(sendPendingEmailsDaily);
  t.match(lines.join('\n'), /WARNING a digest goes out without List-Unsubscribe: .*got: "nonsense"/);
  const headers = (await bench.server.read()).map((mail) => [
    mail.to?.[0]?.address,
    ...['list-unsubscribe', 'list-unsubscribe-post', 'auto-submitted'].map(
      (key) => mail.headers.find((header) => header.key === key)?.value,
    ),
  ]);
  t.same(headers.toSorted(), [
    [
      'ann@example.org',
      '<https://example.org/u?to=ann@example.org>',
      'List-Unsubscribe=One-Click',
      'auto-generated',
    ],
    ['bob@example.org', undefined, undefined, 'auto-generated'],
  ]);
});

t.test('a row with a line break in a header is refused, and adds no header', async (t) => {
  const bench = await openMailBench(t);
  for (const [recipient, sender, subject] of [
    ['ann@example.org\r\nBcc: all@example.org', null, 'One'],
    ['ann@example.org', 'shop@example.org\nX: y', 'Two'],
    ['ann@example.org', null, 'Three\r\n\r\nbody'],
    ['nobody', null, 'Four'],
  ] as const) {
    const id = await queue(bench, 'good@example.org');
    await bench.db
      .updateTable('outbox_mails')
      .set({ recipient, sender, subject })
      .where('id', '=', id)
      .execute();
  }
  await queue(bench, 'bob@example.org');
  await bench.run(sendPendingEmailsOften);
  const states = (await outbox(bench)).map((row) => row.replace(/^[\s\S]*? (failed|sent)/, '$1'));
  t.match(states, [
    /^failed 1: mail: to: expected a text of one line/,
    /^failed 1: mail: from: expected a text of one line/,
    /^failed 1: mail: subject: expected a text of one line/,
    /^failed 1: mail: to: expected one mail address, got: "nobody"/,
    /^sent 1/,
  ]);
  t.same(recipients(bench), ['bob@example.org']);
});

t.test('with a rate limit all mails arrive, and a run that waits for it can be aborted', async (t) => {
  const bench = await openMailBench(t, { mailsPerSecond: 500, mailConnections: 3 });
  for (let i = 0; i < 24; i++) await queue(bench, `user${i}@example.org`);
  await bench.run(sendPendingEmailsOften);
  t.equal(bench.server.mails.length, 24);
  const slow = await openMailBench(t, { mailsPerSecond: 0.001 });
  for (const name of ['ann', 'bob']) await queue(slow, `${name}@example.org`);
  await slow.run(sendPendingEmailsOften, (ar) => {
    slow.server.manners.taken = () => {
      // The second may be sent in 1000 s.
      setTimeout(() => ar.abort(), 50);
      return undefined;
    };
  });
  t.match(await outbox(slow), [/^ann@example.org sent 1/, /^bob@example.org queued 0/]);
});
