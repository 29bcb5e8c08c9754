import t from 'tap';
import {
  chooseWays,
  chosenWays,
  countUnseenMessages,
  markMessagesSeen,
  messagesOf,
  notify,
  registerMessageMail,
  registerNotificationKind,
  registerNotificationWay,
  registerUserDirectory,
  UndeliverableError,
} from '../../procedures/index.js';
import { sendPendingEmailsOften } from '../../procedures/send-pending-emails-often.js';
import { openProcedureBench, type ProcedureBench } from '../support/request.js';
import { noon } from '../support/site.js';

type Tap = Parameters<typeof openProcedureBench>[0];

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** A way that collects the subjects of its messages, unless it throws. */
function recordingWay(t: Tap, name: string, sender?: string): { taken: string[]; fail: unknown } {
  const way = { taken: [] as string[], fail: undefined as unknown };
  t.teardown(
    registerNotificationWay({
      name,
      sender,
      deliver: async (message, tx) => {
        if (way.fail !== undefined) throw way.fail;
        // Its writes are in the same transaction as the record of the delivery.
        await tx.updateTable('user_messages').set({ owner: name }).where('id', '=', message.id).execute();
        way.taken.push(message.subject);
      },
    }),
  );
  return way;
}

function users(t: Tap, contacts: Record<string, { email?: string; name?: string }>): void {
  t.teardown(registerUserDirectory((user) => contacts[user] ?? null));
}

async function send(bench: ProcedureBench, subject: string, more: object = {}): Promise<number> {
  return await notify(bench.db, { to: 'ann', subject, at: new Date(bench.clock.now()), ...more });
}

const mails = async ({ db }: ProcedureBench) =>
  await db
    .selectFrom('outbox_mails')
    .select(['recipient', 'subject', 'text', 'html', 'urgency', 'owner'])
    .orderBy('id')
    .execute();

const warnings = (lines: readonly string[]) => lines.filter((line) => line.startsWith('WARNING message'));

t.test(
  'the ways are the choice for the kind, the choice for all, the default of the kind, or in-app',
  async (t) => {
    const { db } = await openProcedureBench(t);
    t.same(await chosenWays(db, 'ann', 'order'), ['in-app']);
    t.teardown(registerNotificationKind({ name: 'order', text: 'Orders', ways: ['in-app', 'mail'] }));
    t.same(await chosenWays(db, 'ann', 'order'), ['in-app', 'mail']);
    await chooseWays(db, 'ann', '*', ['digest']);
    t.same(await chosenWays(db, 'ann', 'order'), ['digest']);
    await chooseWays(db, 'ann', 'order', ['push', 'push']);
    t.same(await chosenWays(db, 'ann', 'order'), ['push']);
    t.same(await chosenWays(db, 'ann', 'other'), ['digest']);
    t.same(await chosenWays(db, 'bob', 'order'), ['in-app', 'mail']);
    await chooseWays(db, 'ann', 'order', null);
    t.same(await chosenWays(db, 'ann', 'order'), ['digest']);
    for (const wrong of ['mail', ['two words'], [5]]) {
      await t.rejects(chooseWays(db, 'ann', '*', wrong as string[]), {
        code: 'LINOD_ERR_INVALID_REGISTRATION',
      });
    }
  },
);

t.test(
  'a message is delivered once on each chosen way: mail, digest, in-app and one of the application',
  async (t) => {
    const bench = await openProcedureBench(t);
    users(t, { ann: { email: 'ann@example.org', name: 'Ann "A", the first' } });
    const sms = recordingWay(t, 'sms');
    await chooseWays(bench.db, 'ann', 'urgent', ['in-app', 'mail', 'sms']);
    await chooseWays(bench.db, 'ann', 'news', ['digest']);
    await send(bench, 'Fire', { body: 'Run.', kind: 'urgent' });
    await send(bench, 'Two\nlines', { kind: 'news' });
    await send(bench, 'Plain');
    await bench.run(sendPendingEmailsOften);
    await bench.run(sendPendingEmailsOften);
    const recipient = '"Ann \\"A\\", the first" <ann@example.org>';
    t.same(await mails(bench), [
      { recipient, subject: 'Fire', text: 'Run.', html: null, urgency: 'often', owner: null },
      { recipient, subject: 'Two lines', text: 'Two\nlines', html: null, urgency: 'daily', owner: null },
    ]);
    t.same(sms.taken, ['Fire']);
    t.same(
      (await messagesOf(bench.db, 'ann')).map(({ subject, owner }) => [subject, owner]),
      [
        ['Plain', null],
        ['Fire', 'sms'],
      ],
      'a user with the way digest only does not see it in the application',
    );
  },
);

t.test(
  'the sender of a way is requested once per run, unless nothing is new or its rule is cancelled',
  async (t) => {
    const bench = await openProcedureBench(t);
    const way = recordingWay(t, 'sms', 'test');
    await chooseWays(bench.db, 'ann', '*', ['sms']);
    await send(bench, 'One');
    await send(bench, 'Two');
    t.same((await bench.run(sendPendingEmailsOften)).requested, [1]);
    t.same((await bench.run(sendPendingEmailsOften)).requested, []);
    way.fail = new Error('no network');
    await send(bench, 'Three');
    t.same((await bench.run(sendPendingEmailsOften)).requested, [], 'nothing was taken over');
    way.fail = undefined;
    await bench.db.updateTable('job_rules').set({ cancelled_at: noon }).execute();
    await send(bench, 'Four');
    t.same((await bench.run(sendPendingEmailsOften)).requested, []);
    t.same(way.taken, ['One', 'Two', 'Four']);
  },
);

t.test('unseen messages are counted and paged; seen ones are not counted', async (t) => {
  const bench = await openProcedureBench(t);
  for (const subject of ['a', 'b', 'c']) await send(bench, subject);
  await send(bench, 'other', { to: 'bob' });
  await chooseWays(bench.db, 'ann', 'quiet', []);
  await send(bench, 'quiet', { kind: 'quiet' });
  t.equal(await countUnseenMessages(bench.db, 'ann'), 3);
  const [first, second] = await messagesOf(bench.db, 'ann', { limit: 2 });
  t.match([first, second], [{ subject: 'c' }, { subject: 'b' }]);
  t.match(await messagesOf(bench.db, 'ann', { before: second?.id ?? 0 }), [{ subject: 'a' }]);
  await markMessagesSeen(bench.db, 'ann', [first?.id ?? 0]);
  t.equal(await countUnseenMessages(bench.db, 'ann'), 2);
  t.match(await messagesOf(bench.db, 'ann', { unseen: true }), [{ subject: 'b' }, { subject: 'a' }]);
});

t.test('a failed way blocks neither other ways nor other messages, and is retried', async (t) => {
  const bench = await openProcedureBench(t);
  const [bad, good] = [recordingWay(t, 'bad'), recordingWay(t, 'good')];
  bad.fail = new Error('busy');
  await chooseWays(bench.db, 'ann', '*', ['bad', 'good']);
  const id = await send(bench, 'One');
  const { lines } = await bench.run(sendPendingEmailsOften);
  t.same(warnings(lines), [`WARNING message ${id} to ann: bad: Error: busy`]);
  t.same([bad.taken, good.taken], [[], ['One']]);
  t.match(await messagesOf(bench.db, 'ann'), [{ problem: 'bad: Error: busy' }], 'meanwhile it is shown');
  await bench.run(sendPendingEmailsOften);
  bench.clock.advance(minuteMs);
  t.same(warnings((await bench.run(sendPendingEmailsOften)).lines), [], 'the same problem is logged once');
  bad.fail = undefined;
  bench.clock.advance(minuteMs);
  await bench.run(sendPendingEmailsOften);
  t.same([bad.taken, good.taken], [['One'], ['One']]);
  t.match(await messagesOf(bench.db, 'ann'), [{ problem: null, route_at: null }]);
});

t.test('a way is given up after a day, or at once for an unreachable user', async (t) => {
  const bench = await openProcedureBench(t);
  const late = recordingWay(t, 'late');
  late.fail = new Error('busy');
  users(t, { bob: {}, cid: { email: 'cid@example.org\nBcc: all@example.org' } });
  await chooseWays(bench.db, 'ann', '*', ['late', 'gone']);
  for (const user of ['bob', 'cid', 'dan']) await chooseWays(bench.db, user, '*', ['mail']);
  for (const to of ['ann', 'bob', 'cid', 'dan']) await send(bench, 'One', { to });
  await bench.run(sendPendingEmailsOften);
  const problems = async () =>
    (await bench.db.selectFrom('user_messages').selectAll().orderBy('id').execute()).map((row) => [
      row.user,
      row.problem,
      row.route_at === null,
    ]);
  const gone = 'gone: Error: no notification way "gone" is registered';
  const unreachable = [
    ['bob', 'mail: UndeliverableError: the user has no mail address', true],
    ['cid', /^mail: UndeliverableError: InvalidMailError: mail: to: expected a text of one line/, true],
    ['dan', 'mail: UndeliverableError: there is no such user', true],
  ];
  t.match(await problems(), [['ann', `late: Error: busy; ${gone}`, false], ...unreachable]);
  bench.clock.advance(dayMs);
  await bench.run(sendPendingEmailsOften);
  t.match(await problems(), [['ann', `late: Error: busy; ${gone}`, true], ...unreachable]);
  t.same(await mails(bench), []);
  t.equal(await countUnseenMessages(bench.db, 'bob'), 1, 'the application shows what it could not deliver');
});

t.test('an application writes the mails for messages', async (t) => {
  const bench = await openProcedureBench(t);
  users(t, { ann: { email: 'ann@example.org' } });
  await chooseWays(bench.db, 'ann', '*', ['mail']);
  t.teardown(
    registerMessageMail(({ subject }) => ({ subject: `[shop] ${subject}`, text: 'x', html: '<p>x' })),
  );
  await send(bench, 'One', { owner: 'order 17' });
  await bench.run(sendPendingEmailsOften);
  t.match(await mails(bench), [{ subject: '[shop] One', html: '<p>x', owner: 'order 17' }]);
});

t.test('two parallel runs deliver a message once', async (t) => {
  const bench = await openProcedureBench(t);
  const way = recordingWay(t, 'sms');
  await chooseWays(bench.db, 'ann', '*', ['sms']);
  for (let i = 0; i < 20; i++) await send(bench, String(i));
  await Promise.all([bench.run(sendPendingEmailsOften), bench.run(sendPendingEmailsOften)]);
  t.same(
    way.taken.toSorted((a, b) => Number(a) - Number(b)),
    Array.from({ length: 20 }, (_, i) => String(i)),
  );
});

t.test('an invalid message is refused before it is written', async (t) => {
  const bench = await openProcedureBench(t);
  for (const [changes, field] of [
    [{ to: '' }, 'to'],
    [{ body: 'a\0b' }, 'body'],
    [{ subject: 5 }, 'subject'],
  ] as const) {
    await t.rejects(send(bench, 'One', changes), { code: 'LINOD_ERR_INVALID_MESSAGE', field });
  }
  t.throws(() => registerNotificationWay({ name: 'x' } as never), { code: 'LINOD_ERR_INVALID_REGISTRATION' });
  t.equal(await countUnseenMessages(bench.db, 'ann'), 0);
  t.equal(new UndeliverableError('no').code, 'LINOD_ERR_UNDELIVERABLE');
});
