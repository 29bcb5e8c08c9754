import t from 'tap';
import { clearSeenMessages } from '../../procedures/clear-seen-messages.js';
import { defaultRetention, markMessagesSeen, notify, setRetention } from '../../procedures/index.js';
import { openProcedureBench, type ProcedureBench } from '../support/request.js';

const dayMs = 86_400_000;

async function subjects({ db }: ProcedureBench): Promise<string[]> {
  const rows = await db.selectFrom('user_messages').select('subject').orderBy('id').execute();
  return rows.map((row) => row.subject);
}

/** As after a run of `send_pending_emails_often`. */
async function goTheirWays({ db }: ProcedureBench): Promise<void> {
  await db.updateTable('user_messages').set({ route_at: null }).execute();
}

t.test('messages seen long ago are deleted; unseen and recently seen ones stay', async (t) => {
  const bench = await openProcedureBench(t);
  const ago = (days: number) => new Date(bench.clock.now() - days * dayMs);
  for (const [subject, seenAt] of [
    ['unseen', undefined],
    ['just', ago(30)],
    ['old', new Date(ago(30).getTime() - 1)],
  ] as const) {
    const id = await notify(bench.db, { to: 'ann', subject, at: ago(365) });
    await goTheirWays(bench);
    if (seenAt !== undefined) await markMessagesSeen(bench.db, 'ann', [id], seenAt);
  }
  const { lines } = await bench.run(clearSeenMessages);
  t.same(await subjects(bench), ['unseen', 'just']);
  t.same(lines, ['INFO 1 message deleted, seen more than 30 days ago']);
  t.same((await bench.run(clearSeenMessages)).lines, ['DEBUG no message was seen more than 30 days ago']);
});

t.test('a message that was seen before it was mailed is kept until then', async (t) => {
  const bench = await openProcedureBench(t);
  t.teardown(() => setRetention({ seenMessageDays: defaultRetention.seenMessageDays }));
  setRetention({ seenMessageDays: 0 });
  const at = new Date(bench.clock.now() - 1);
  const ids = [];
  for (const subject of ['waits', 'through']) ids.push(await notify(bench.db, { to: 'ann', subject, at }));
  t.equal(await markMessagesSeen(bench.db, 'ann', ids, at), 2);
  t.equal(await markMessagesSeen(bench.db, 'ann', []), 0);
  await bench.db
    .updateTable('user_messages')
    .set({ route_at: null })
    .where('subject', '=', 'through')
    .execute();
  await bench.run(clearSeenMessages);
  t.same(await subjects(bench), ['waits']);
});

t.test('many messages are deleted in batches; an aborted run leaves the rest to the next', async (t) => {
  const bench = await openProcedureBench(t);
  const at = new Date(bench.clock.now() - 40 * dayMs);
  await bench.db.transaction().execute(async (tx) => {
    for (let i = 0; i < 301; i++) await notify(tx, { to: 'ann', subject: String(i), at });
    t.equal(await markMessagesSeen(tx, 'ann', 'all', at), 301);
  });
  await goTheirWays(bench);
  await bench.run(clearSeenMessages, (ar) => {
    const { progress } = ar;
    Object.assign(ar, {
      progress: (...args: Parameters<typeof progress>) => {
        progress(...args);
        ar.abort();
      },
    });
  });
  t.equal((await subjects(bench)).length, 201, 'one batch of 100');
  const { progresses } = await bench.run(clearSeenMessages);
  t.same(await subjects(bench), []);
  t.same(
    progresses.map(([done]) => done),
    [100, 200, 201],
  );
});

t.test('a failed transaction writes no message', async (t) => {
  const bench = await openProcedureBench(t);
  const failing = bench.store.db.transaction().execute(async (tx) => {
    await notify(tx, { to: 'ann', subject: 'paid', body: 'all of it', kind: 'order', owner: 'order 17' });
    throw new Error('no');
  });
  await t.rejects(failing, { message: 'no' });
  t.same(await subjects(bench), []);
});

t.test('a user can mark only own messages, and each once', async (t) => {
  const bench = await openProcedureBench(t);
  const ann = await notify(bench.db, { to: 'ann', subject: 'a' });
  const bob = await notify(bench.db, { to: 'bob', subject: 'b' });
  t.equal(await markMessagesSeen(bench.db, 'ann', [ann, bob], new Date(1000)), 1);
  t.equal(await markMessagesSeen(bench.db, 'ann', [ann, bob], new Date(2000)), 0);
  t.equal(await markMessagesSeen(bench.db, 'ann', []), 0);
  const rows = await bench.db.selectFrom('user_messages').select(['user', 'seen_at']).orderBy('id').execute();
  t.same(rows, [
    { user: 'ann', seen_at: 1000 },
    { user: 'bob', seen_at: null },
  ]);
});

t.test('retention takes known names and sensible numbers only', async (t) => {
  t.teardown(() => setRetention(defaultRetention));
  t.throws(() => setRetention({ seenMessageDays: -1 }), {
    code: 'LINOD_ERR_BAD_CONFIG',
    message: 'setRetention: seenMessageDays: expected a number, at least 0, got: -1',
  });
  t.throws(() => setRetention({ seenDays: 1 } as object), {
    code: 'LINOD_ERR_BAD_CONFIG',
    message: /seenDays: unknown number; known are jobDays, /,
  });
  const bench = await openProcedureBench(t);
  await notify(bench.db, { to: 'ann', subject: 'a' });
  await goTheirWays(bench);
  await markMessagesSeen(bench.db, 'ann', 'all', new Date(bench.clock.now() - 1));
  setRetention({ seenMessageDays: 0 });
  await bench.run(clearSeenMessages);
  t.same(await subjects(bench), []);
});
