import t from 'tap';
import {
  html,
  MailRefusedError,
  type MailTransport,
  MailTransportDownError,
  type NewMail,
  type OutgoingMail,
  queueMail,
  registerDigestComposer,
  registerMailTransport,
} from '../../procedures/index.js';
import { mails } from '../../procedures/mail/send-mails.js';
import { sendPendingEmailsDaily } from '../../procedures/send-pending-emails-daily.js';
import { sendPendingEmailsOften } from '../../procedures/send-pending-emails-often.js';
import { openProcedureBench, type ProcedureBench } from '../support/request.js';
import { until } from '../support/until.js';

const { maxAttempts, pauseAfter } = mails;
const minuteMs = 60_000;
const dayMs = 86_400_000;

/** A transport that accepts every mail, unless `react` does something else. */
class FakeTransport implements MailTransport {
  readonly sent: OutgoingMail[] = [];
  react: (mail: OutgoingMail, signal: AbortSignal) => unknown = () => undefined;

  async send(mail: OutgoingMail, signal: AbortSignal): Promise<string> {
    await this.react(mail, signal);
    this.sent.push(mail);
    return '250 OK';
  }

  get recipients(): string[] {
    return this.sent.map((mail) => mail.to);
  }
}

function fakeTransport(t: Tap): FakeTransport {
  const transport = new FakeTransport();
  t.teardown(registerMailTransport(transport));
  return transport;
}

type Tap = Parameters<typeof openProcedureBench>[0];

async function queue(bench: ProcedureBench, to: string, more: Partial<NewMail> = {}): Promise<number> {
  const at = new Date(bench.clock.now());
  return await queueMail(bench.db, { to, subject: `To ${to}`, text: 'Hello', at, ...more });
}

/** `recipient status attempts`, in the order of the queue. */
async function outbox({ db }: ProcedureBench): Promise<string[]> {
  const rows = await db.selectFrom('outbox_mails').selectAll().orderBy('id').execute();
  return rows.map((row) => `${row.recipient} ${row.status} ${row.attempts}`);
}

async function mailOf({ db }: ProcedureBench, id: number) {
  return await db.selectFrom('outbox_mails').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

t.test('urgent mails are sent once, in the order of the queue, and store the answer', async (t) => {
  const bench = await openProcedureBench(t);
  const transport = fakeTransport(t);
  const id = await queue(bench, 'ann@example.org', { html: '<p>Hello</p>', from: 'Shop <shop@example.org>' });
  await queue(bench, 'bob@example.org', { urgency: 'daily' });
  await queue(bench, 'cid@example.org');
  const { lines } = await bench.run(sendPendingEmailsOften);
  const { message_id: messageId } = await mailOf(bench, id);
  t.match(messageId, /^<[\da-f-]{36}@.+>$/);
  t.same(transport.sent[0], {
    messageId,
    to: 'ann@example.org',
    from: 'Shop <shop@example.org>',
    subject: 'To ann@example.org',
    text: 'Hello',
    html: '<p>Hello</p>',
    date: new Date(bench.clock.now()),
    unsubscribe: null,
  });
  t.same(await outbox(bench), [
    'ann@example.org sent 1',
    'bob@example.org queued 0',
    'cid@example.org sent 1',
  ]);
  t.match(await mailOf(bench, id), { answer: '250 OK', done_at: bench.clock.now(), job_id: null });
  t.equal(lines.at(-1), 'INFO 2 mails sent');
  t.same((await bench.run(sendPendingEmailsOften)).lines, ['DEBUG no mail is due']);
  t.equal(transport.sent.length, 2);
});

t.test('without a transport mails stay queued, and a warning says so once', async (t) => {
  const bench = await openProcedureBench(t);
  await queue(bench, 'ann@example.org');
  const text = `1 mail waits: ${bench.site.configFile}: mailUrl: expected the URL of a mail server, or a call of registerMailTransport; got none`;
  t.same((await bench.run(sendPendingEmailsOften)).lines, [`WARNING ${text}`]);
  t.same((await bench.run(sendPendingEmailsOften)).lines, [`DEBUG ${text}`]);
  t.same((await bench.run(sendPendingEmailsDaily)).lines, ['DEBUG nothing waits for a digest']);
  t.same(await outbox(bench), ['ann@example.org queued 0']);
  const transport = fakeTransport(t);
  await bench.run(sendPendingEmailsOften);
  t.same(transport.recipients, ['ann@example.org']);
});

t.test('a failed mail blocks no other; it is retried with growing pauses, then given up', async (t) => {
  const bench = await openProcedureBench(t);
  const transport = fakeTransport(t);
  let attempts = 0;
  transport.react = (mail) => {
    if (mail.to !== 'bad@example.org') return;
    attempts++;
    throw new Error('mailbox is full\nreally');
  };
  const bad = await queue(bench, 'bad@example.org');
  await queue(bench, 'ann@example.org');
  const first = await bench.run(sendPendingEmailsOften);
  t.same(transport.recipients, ['ann@example.org']);
  t.same(
    first.lines.filter((line) => !line.startsWith('DEBUG')),
    [
      `WARNING mail ${bad} to bad@example.org: failed (attempt 1), next attempt in 1 min: Error: mailbox is full`,
      'INFO 1 mail sent, 1 not',
    ],
  );
  const { message_id } = await mailOf(bench, bad);
  for (let attempt = 1; attempt < maxAttempts; attempt++) {
    bench.clock.advance(pauseAfter(attempt) - 1);
    await bench.run(sendPendingEmailsOften);
    t.equal(attempts, attempt, `not before the pause after attempt ${attempt} is over`);
    bench.clock.advance(1);
    await bench.run(sendPendingEmailsOften);
    t.equal(attempts, attempt + 1);
  }
  t.match(await mailOf(bench, bad), {
    status: 'failed',
    attempts: maxAttempts,
    answer: 'Error: mailbox is full',
    message_id,
  });
  bench.clock.advance(dayMs);
  await bench.run(sendPendingEmailsOften);
  t.equal(attempts, maxAttempts);
});

t.test('the pauses grow from a minute to six hours', async (t) => {
  t.same(
    [1, 2, 3, 4, 5, 6].map((attempt) => pauseAfter(attempt) / minuteMs),
    [1, 4, 16, 64, 256, 360],
  );
});

t.test('a mail that is refused is not tried again', async (t) => {
  const bench = await openProcedureBench(t);
  const transport = fakeTransport(t);
  transport.react = () => {
    throw new MailRefusedError('550 no such user');
  };
  const id = await queue(bench, 'bad@example.org');
  const { lines } = await bench.run(sendPendingEmailsOften);
  t.match(await mailOf(bench, id), { status: 'failed', answer: '550 no such user' });
  t.equal(lines[0], `WARNING mail ${id} to bad@example.org: failed (attempt 1), given up: 550 no such user`);
});

t.test('while the transport is down no attempt counts, and one warning is logged', async (t) => {
  const bench = await openProcedureBench(t);
  const transport = fakeTransport(t);
  let calls = 0;
  transport.react = () => {
    calls++;
    throw new MailTransportDownError('connection refused');
  };
  await queue(bench, 'ann@example.org');
  await queue(bench, 'bob@example.org');
  const first = await bench.run(sendPendingEmailsOften);
  t.equal(calls, 1, 'the second mail is not even tried');
  t.equal(first.lines[0], 'WARNING no mail can be sent now: connection refused');
  const second = await bench.run(sendPendingEmailsOften);
  t.equal(second.lines[0], 'DEBUG no mail can be sent now: connection refused');
  t.same(await outbox(bench), ['ann@example.org queued 0', 'bob@example.org queued 0']);
  transport.react = () => undefined;
  await bench.run(sendPendingEmailsOften);
  t.same(transport.recipients, ['ann@example.org', 'bob@example.org']);
});

t.test('a crash between send and mark repeats a mail once, with the same Message-ID', async (t) => {
  const bench = await openProcedureBench(t);
  const transport = fakeTransport(t);
  const id = await queue(bench, 'ann@example.org');
  const crash = async () => {
    const ar = await bench.request();
    // A process that dies after the send has sent the mail, but not marked it.
    const { react } = transport;
    transport.react = async (mail) => {
      transport.sent.push(mail);
      await new Promise<never>(() => undefined);
    };
    const dead = sendPendingEmailsOften.run(ar);
    const sentBefore = transport.sent.length;
    await until('the mail is out', () => transport.sent.length > sentBefore);
    transport.react = react;
    await bench.lose(ar);
    return { ar, dead };
  };
  const first = await crash();
  t.match(await mailOf(bench, id), { status: 'sending', attempts: 1 });
  const repeated = await bench.run(sendPendingEmailsOften);
  t.same(
    new Set(transport.sent.map((mail) => mail.messageId)),
    new Set([(await mailOf(bench, id)).message_id]),
  );
  t.equal(transport.sent.length, 2);
  t.match(
    repeated.lines[0],
    /^WARNING mail 1 to ann@example.org: it may have been sent, and is sent again: job 1 ended/,
  );
  t.match(await mailOf(bench, id), { status: 'sent' });

  const again = await queue(bench, 'bob@example.org');
  const second = await crash();
  const third = await crash();
  transport.sent.length = 0;
  const last = await bench.run(sendPendingEmailsOften);
  t.same(transport.sent, [], 'two copies are out already: there is no third');
  t.match(await mailOf(bench, again), { status: 'failed', interruptions: 2 });
  t.match(last.lines[0], /given up: it may have been sent 2 times; last result: job 4 ended/);
  // The jobs that were given up resume late, and change nothing.
  for (const { ar } of [first, second, third]) ar.abort();
  await Promise.all([first.dead, second.dead, third.dead]);
  t.same(await outbox(bench), ['ann@example.org sent 2', 'bob@example.org failed 2']);
});

t.test('a job that was given up does not change a mail that another has claimed', async (t) => {
  const bench = await openProcedureBench(t);
  const transport = fakeTransport(t);
  const waiting: Array<() => void> = [];
  transport.react = async () => {
    await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const id = await queue(bench, 'ann@example.org');
  const begin = async (count: number) => {
    const ar = await bench.request();
    const done = sendPendingEmailsOften.run(ar);
    await until('it is sending', () => waiting.length === count);
    return { ar, done };
  };
  const first = await begin(1);
  await bench.lose(first.ar);
  const second = await begin(2);
  waiting[0]?.();
  await first.done;
  t.match(await mailOf(bench, id), { status: 'sending', job_id: second.ar.jobId });
  waiting[1]?.();
  await second.done;
  t.match(await mailOf(bench, id), { status: 'sent', job_id: null });
});

t.test('a mail that a running job has claimed stays with it', async (t) => {
  const bench = await openProcedureBench(t);
  const transport = fakeTransport(t);
  let release: (() => void) | undefined;
  transport.react = async (mail) => {
    if (mail.to !== 'ann@example.org') return;
    await new Promise<void>((resolve) => {
      release = resolve;
    });
  };
  await queue(bench, 'ann@example.org');
  const slow = await bench.request();
  const running = sendPendingEmailsOften.run(slow);
  await until('the first job is sending', () => release !== undefined);
  await queue(bench, 'bob@example.org');
  await bench.run(sendPendingEmailsOften);
  t.same(transport.recipients, ['bob@example.org']);
  release?.();
  await running;
  t.same(transport.recipients, ['bob@example.org', 'ann@example.org']);
  t.same(await outbox(bench), ['ann@example.org sent 1', 'bob@example.org sent 1']);
});

t.test('a run that is aborted while it sends leaves the mail to the next', async (t) => {
  const bench = await openProcedureBench(t);
  const transport = fakeTransport(t);
  await queue(bench, 'ann@example.org');
  await queue(bench, 'bob@example.org');
  await bench.run(sendPendingEmailsOften, (ar) => {
    transport.react = async (_mail, signal) => {
      ar.abort();
      t.equal(signal.aborted, true, 'the transport gets the signal');
      // It ignores the signal.
      await new Promise<never>(() => undefined);
    };
  });
  t.same(await outbox(bench), ['ann@example.org deferred 1', 'bob@example.org queued 0']);
  transport.react = () => undefined;
  bench.clock.advance(pauseAfter(1));
  await bench.run(sendPendingEmailsOften);
  t.same(transport.recipients, ['bob@example.org', 'ann@example.org']);
});

t.test('a transport that does not answer blocks neither its run nor other mails', async (t) => {
  const bench = await openProcedureBench(t);
  const transport = Object.assign(fakeTransport(t), { timeoutMs: 1 });
  transport.react = async () => await new Promise<never>(() => undefined);
  const id = await queue(bench, 'ann@example.org');
  // The limit's timer does not keep the process alive, and here nothing else does.
  const keepAlive = setInterval(() => undefined, 1000);
  await bench.run(sendPendingEmailsOften);
  clearInterval(keepAlive);
  t.match(await mailOf(bench, id), { status: 'deferred', interruptions: 1 });
  transport.timeoutMs = minuteMs;
  transport.react = () => undefined;
  await queue(bench, 'bob@example.org');
  await bench.run(sendPendingEmailsOften);
  t.same(transport.recipients, ['bob@example.org']);
});

t.test('each recipient gets one digest of the daily mails', async (t) => {
  const bench = await openProcedureBench(t);
  const transport = fakeTransport(t);
  for (const subject of ['One', 'Two', 'Three']) {
    await queue(bench, 'ann@example.org', { subject, text: `Text of ${subject}`, urgency: 'daily' });
  }
  await queue(bench, 'bob@example.org', { subject: 'Only', html: '<b>x</b>', urgency: 'daily' });
  await bench.run(sendPendingEmailsDaily);
  t.match(transport.sent, [
    {
      to: 'ann@example.org',
      subject: 'One and 2 more',
      text: 'One\n---\n\nText of One\n\n\nTwo\n---\n\nText of Two\n\n\nThree\n-----\n\nText of Three\n',
    },
    { to: 'bob@example.org', subject: 'Only', text: 'Hello', html: '<b>x</b>' },
  ]);
  t.equal(transport.sent.length, 2);
  t.same(await outbox(bench), [
    'ann@example.org digested 0',
    'ann@example.org digested 0',
    'ann@example.org digested 0',
    'bob@example.org digested 0',
    'ann@example.org sent 1',
    'bob@example.org sent 1',
  ]);
  await bench.run(sendPendingEmailsDaily);
  t.equal(transport.sent.length, 2, 'nothing is sent twice');
});

t.test('a digest that cannot be sent at once is sent later, unchanged', async (t) => {
  const bench = await openProcedureBench(t);
  const transport = fakeTransport(t);
  transport.react = () => {
    throw new Error('busy');
  };
  await queue(bench, 'ann@example.org', { urgency: 'daily' });
  await bench.run(sendPendingEmailsDaily);
  t.same(await outbox(bench), ['ann@example.org digested 0', 'ann@example.org deferred 1']);
  transport.react = () => undefined;
  bench.clock.advance(pauseAfter(1));
  await bench.run(sendPendingEmailsOften);
  t.same(transport.recipients, ['ann@example.org']);
});

t.test('an application composes its digests; if that fails, the default one is sent', async (t) => {
  const bench = await openProcedureBench(t);
  const transport = fakeTransport(t);
  const unregister = registerDigestComposer((to, parts) => ({
    subject: `Täna\n${to}`,
    text: parts.map((part) => part.subject).join(', '),
  }));
  await queue(bench, 'ann@example.org', { urgency: 'daily', subject: 'One' });
  await queue(bench, 'ann@example.org', { urgency: 'daily', subject: 'Two' });
  await bench.run(sendPendingEmailsDaily);
  t.match(transport.sent, [{ subject: 'Täna ann@example.org', text: 'One, Two' }]);
  unregister();
  for (const compose of [
    () => {
      throw new Error('no words');
    },
    () => ({}) as { subject: string; text: string },
    () => ({ subject: 'a', text: 'b', html: html`<p>b</p>` as unknown as string }),
  ]) {
    const takeBack = registerDigestComposer(compose);
    await queue(bench, 'ann@example.org', { urgency: 'daily', subject: 'Plain' });
    const { lines } = await bench.run(sendPendingEmailsDaily);
    t.match(lines[0], /^WARNING the digest composer .*default digest is sent/);
    t.equal(transport.sent.at(-1)?.subject, 'Plain');
    takeBack();
  }
});

t.test('too many mails for one digest go into several', async (t) => {
  const bench = await openProcedureBench(t);
  const transport = fakeTransport(t);
  await bench.db.transaction().execute(async (tx) => {
    for (let i = 1; i <= 1002; i++) {
      const mail = { to: 'ann@example.org', subject: String(i), text: 'x' };
      await queueMail(tx, { ...mail, urgency: 'daily', at: new Date(bench.clock.now()) });
    }
  });
  await bench.run(sendPendingEmailsDaily);
  t.same(
    transport.sent.map((mail) => mail.subject),
    ['1 and 999 more', '1001 and 1 more'],
  );
});

t.test('a mail that is queued while a digest is composed waits for the next one', async (t) => {
  const bench = await openProcedureBench(t);
  const transport = fakeTransport(t);
  let isFirst = true;
  t.teardown(
    registerDigestComposer(async (to, parts) => {
      if (isFirst) await queue(bench, to, { urgency: 'daily', subject: 'Late' });
      isFirst = false;
      return { subject: parts.map((part) => part.subject).join(', '), text: '' };
    }),
  );
  await queue(bench, 'ann@example.org', { urgency: 'daily', subject: 'Early' });
  await bench.run(sendPendingEmailsDaily);
  await bench.run(sendPendingEmailsDaily);
  t.same(
    transport.sent.map((mail) => mail.subject),
    ['Early', 'Late'],
  );
});

t.test('old sent mails are deleted, a digest with its parts', async (t) => {
  const bench = await openProcedureBench(t);
  fakeTransport(t);
  await queue(bench, 'ann@example.org');
  await queue(bench, 'ann@example.org', { urgency: 'daily' });
  await bench.run(sendPendingEmailsOften);
  await bench.run(sendPendingEmailsDaily);
  bench.clock.advance(30 * dayMs + 1);
  await queue(bench, 'bob@example.org');
  await bench.run(sendPendingEmailsDaily);
  t.same(await outbox(bench), ['bob@example.org queued 0']);
});

t.test('an invalid mail is refused before it is queued', async (t) => {
  const bench = await openProcedureBench(t);
  for (const [changes, field] of [
    [{ to: '' }, 'to'],
    [{ to: 'ann' }, 'to'],
    [{ to: 'ann@example.org, bob@example.org' }, 'to'],
    [{ to: 'ann@example.org\nBcc: all@example.org' }, 'to'],
    [{ from: 'shop' }, 'from'],
    [{ subject: 'Hello\r\nBcc: all@example.org' }, 'subject'],
    [{ urgency: 'soon' as 'often' }, 'urgency'],
  ] as const) {
    await t.rejects(
      queueMail(bench.db, Object.assign({ to: 'ann@example.org', subject: '', text: '' }, changes)),
      { code: 'LINOD_ERR_INVALID_MAIL', field },
      JSON.stringify(changes),
    );
  }
  t.same(await outbox(bench), []);
});

t.test('a failed transaction queues no mail', async (t) => {
  const bench = await openProcedureBench(t);
  const failing = bench.store.db.transaction().execute(async (tx) => {
    await queueMail(tx, { to: 'ann@example.org', subject: 'Paid', text: '' });
    throw new Error('no');
  });
  await t.rejects(failing, { message: 'no' });
  t.same(await outbox(bench), []);
});
