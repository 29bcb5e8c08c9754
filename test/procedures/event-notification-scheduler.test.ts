import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { checkdata } from '../../procedures/checkdata.js';
import { eventNotificationScheduler } from '../../procedures/event-notification-scheduler.js';
import { type EventSource, registerEventSource, type UpcomingEvent } from '../../procedures/index.js';
import { openProcedureBench, type ProcedureBench } from '../support/request.js';
import { noon } from '../support/site.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** A source whose events a test changes. */
class Calendar implements EventSource {
  readonly name = 'meetings';
  readonly remindMinutesBefore = [60];
  readonly asked: Array<readonly [from: Date, to: Date]> = [];
  events: UpcomingEvent[] = [];
  fail: Error | undefined;

  upcoming(from: Date, to: Date): UpcomingEvent[] {
    this.asked.push([from, to]);
    if (this.fail !== undefined) throw this.fail;
    return this.events.filter(({ start }) => start >= from && start < to);
  }
}

function calendar(t: Parameters<typeof openProcedureBench>[0], ...events: UpcomingEvent[]): Calendar {
  const source = new Calendar();
  source.events = events;
  t.teardown(registerEventSource(source));
  return source;
}

function meeting(startMs: number, more: Partial<UpcomingEvent> = {}): UpcomingEvent {
  return { id: 'm1', start: new Date(startMs), to: 'ann', subject: 'Meeting', ...more };
}

/** `user: body`, in order. */
async function messages({ db }: ProcedureBench): Promise<string[]> {
  const rows = await db.selectFrom('user_messages').selectAll().orderBy('id').execute();
  return rows.map((row) => `${row.user}: ${row.body}`);
}

/** When reminders are planned, in minutes from noon. */
async function planned({ db }: ProcedureBench): Promise<number[]> {
  const rows = await db
    .selectFrom('event_reminders')
    .select('remind_at')
    .where('sent_at', 'is', null)
    .orderBy('remind_at')
    .execute();
  return rows.map((row) => (row.remind_at - noon) / minuteMs);
}

/** `checker, owner: message` of those that are open. */
async function problems({ db }: ProcedureBench): Promise<string[]> {
  const rows = await db
    .selectFrom('data_problems')
    .selectAll()
    .where('closed_at', 'is', null)
    .orderBy('id')
    .execute();
  return rows.map((row) => `${row.checker}, ${row.owner}: ${row.message}`);
}

async function runAt(bench: ProcedureBench, ms: number) {
  bench.clock.advance(ms - bench.clock.now());
  return await bench.run(eventNotificationScheduler);
}

t.test('people are reminded ahead of an event, once', async (t) => {
  const bench = await openProcedureBench(t);
  const source = calendar(t, meeting(noon + 2 * hourMs, { to: ['ann', 'bob', 'ann'] }));
  const { lines } = await runAt(bench, noon);
  t.same(source.asked, [[new Date(noon), new Date(noon + 31 * 24 * hourMs)]]);
  t.same(lines, ['INFO meetings: 2 reminders planned, 0 dropped']);
  t.same(await planned(bench), [60, 60]);
  await runAt(bench, noon + hourMs - 1);
  t.same(await messages(bench), []);
  await runAt(bench, noon + hourMs);
  const expected = ['ann', 'bob'].map((user) => `${user}: Meeting: starts on 2026-11-24 14:00 (UTC)`);
  t.same(await messages(bench), expected);
  await runAt(bench, noon + hourMs + 5 * minuteMs);
  await runAt(bench, noon + 3 * hourMs);
  t.same(await messages(bench), expected);
  const [message] = await bench.db.selectFrom('user_messages').selectAll().execute();
  t.match(message, {
    subject: 'Meeting',
    kind: 'reminder',
    owner: 'meetings m1',
    created_at: noon + hourMs,
    seen_at: null,
  });
});

t.test('a reminder moves with its event', async (t) => {
  const bench = await openProcedureBench(t);
  const source = calendar(t, meeting(noon + 2 * hourMs));
  await runAt(bench, noon);
  source.events = [meeting(noon + 5 * hourMs)];
  t.same((await runAt(bench, noon)).lines, ['INFO meetings: 1 reminder planned, 1 dropped']);
  t.same(await planned(bench), [240]);
  await runAt(bench, noon + hourMs);
  t.same(await messages(bench), []);
  await runAt(bench, noon + 4 * hourMs);
  t.same(await messages(bench), ['ann: Meeting: starts on 2026-11-24 17:00 (UTC)']);
});

t.test(
  'an event that moves after its reminder gets one for the new start, and none for the old again',
  async (t) => {
    const bench = await openProcedureBench(t);
    const source = calendar(t, meeting(noon + hourMs, { body: 'first' }));
    await runAt(bench, noon);
    source.events = [meeting(noon + 3 * hourMs, { body: 'second' })];
    await runAt(bench, noon);
    source.events = [meeting(noon + hourMs, { body: 'third' })];
    await runAt(bench, noon + 1);
    t.same(await messages(bench), ['ann: first']);
    source.events = [meeting(noon + 3 * hourMs, { body: 'fourth' })];
    await runAt(bench, noon + 2 * hourMs);
    t.same(await messages(bench), ['ann: first', 'ann: fourth']);
  },
);

t.test('a cancelled event, a missing one and a user who left get no reminder', async (t) => {
  const bench = await openProcedureBench(t);
  const start = noon + 2 * hourMs;
  const source = calendar(
    t,
    meeting(start, { id: 'a' }),
    meeting(start, { id: 'b' }),
    meeting(start, { id: 'c', to: ['ann', 'bob'] }),
  );
  await runAt(bench, noon);
  source.events = [
    meeting(start, { id: 'a', cancelled: true }),
    meeting(start, { id: 'c', to: 'bob', body: 'changed' }),
  ];
  t.same((await runAt(bench, noon)).lines, ['INFO meetings: 0 reminders planned, 3 dropped']);
  await runAt(bench, noon + hourMs);
  t.same(await messages(bench), ['bob: changed']);
});

t.test('one of several due reminders is sent, and none for events that have begun', async (t) => {
  const bench = await openProcedureBench(t);
  calendar(
    t,
    meeting(noon + 10 * minuteMs, { id: 'soon', remindMinutesBefore: [15, 60, 1440, 5], body: 'soon' }),
    meeting(noon + 2 * hourMs, { id: 'missed', body: 'missed' }),
  );
  await runAt(bench, noon);
  t.same(await messages(bench), ['ann: soon']);
  await runAt(bench, noon + 5 * minuteMs);
  t.same(await messages(bench), ['ann: soon', 'ann: soon'], 'the one five minutes before is another');
  await runAt(bench, noon + 3 * hourMs);
  t.same((await messages(bench)).length, 2, 'no worker ran in between');
});

t.test('a reminder that is due between two runs is sent by the first', async (t) => {
  const bench = await openProcedureBench(t);
  const soon = (id: string, more: Partial<UpcomingEvent>) =>
    meeting(noon + 7 * minuteMs, { id, body: id, ...more });
  calendar(
    t,
    soon('at its start', { remindMinutesBefore: [0] }),
    soon('a minute before', { remindMinutesBefore: [1], to: 'bob' }),
    meeting(noon + 10 * minuteMs, { id: 'later', remindMinutesBefore: [0] }),
  );
  await runAt(bench, noon);
  t.same(await messages(bench), []);
  await runAt(bench, noon + 5 * minuteMs);
  t.same((await messages(bench)).sort(), ['ann: at its start', 'bob: a minute before']);
  await runAt(bench, noon + 7 * minuteMs);
  t.equal((await messages(bench)).length, 3, 'the third one a run before it would be too late');
});

t.test('a source that throws keeps its reminders, and the others continue', async (t) => {
  const bench = await openProcedureBench(t);
  const source = calendar(t, meeting(noon + 2 * hourMs, { body: 'planned' }));
  t.teardown(
    registerEventSource({
      name: 'other',
      upcoming: () => [meeting(noon + 2 * hourMs, { body: 'other', to: 'bob' })],
    }),
  );
  await runAt(bench, noon);
  source.fail = new Error('calendar is away');
  const { lines } = await runAt(bench, noon + hourMs);
  t.equal(
    lines[0],
    'WARNING meetings: its events could not be read, reminders stay as they are: Error: calendar is away',
  );
  t.same((await messages(bench)).sort(), ['ann: planned', 'bob: other']);
});

t.test('invalid events are reported, and affect neither other events nor planned reminders', async (t) => {
  const bench = await openProcedureBench(t);
  const start = noon + 2 * hourMs;
  const source = calendar(t, meeting(start, { id: 'a', body: 'a' }), meeting(start, { id: 'b', body: 'b' }));
  await runAt(bench, noon);
  const nonsense: unknown[] = [
    null,
    { id: 17 },
    { id: 'a', start: 'tomorrow' },
    meeting(start, { id: 'd', to: ['ann', ''] }),
    meeting(start, { id: 'e', subject: 5 as unknown as string }),
    meeting(start, { id: 'f', remindMinutesBefore: [-1] }),
    meeting(start, { id: 'g', body: {} as string }),
    meeting(start, { id: 'h', subject: 'zero\0' }),
    meeting(start, { id: 'i\0' }),
    meeting(start, { id: 'j', remindMinutesBefore: [0.5] }),
    meeting(start, { id: 'k', remindMinutesBefore: [1e300] }),
    {
      id: 'l',
      get start() {
        throw new Error('no start');
      },
    },
    meeting(start, { id: 'b', body: 'b' }),
  ];
  source.upcoming = () => nonsense as UpcomingEvent[];
  const { lines } = await runAt(bench, noon);
  t.same(lines, [
    'WARNING meetings: event at index 0: expected an object, got: null',
    'WARNING meetings: event at index 1: expected id to be a text, got: 17',
    'WARNING meetings: event a: expected start to be a date, got: "tomorrow"',
    'WARNING meetings: and 9 more invalid events',
    'DEBUG meetings: 0 reminders planned, 0 dropped',
  ]);
  t.equal((await problems(bench)).length, 12);
  t.same((await runAt(bench, noon)).lines, ['DEBUG meetings: 0 reminders planned, 0 dropped'], 'once');
  source.upcoming = () => 'none' as unknown as UpcomingEvent[];
  const after = await runAt(bench, noon + hourMs);
  t.match(after.lines[0], /^WARNING meetings: .* expected a list of events, got: 'none'$/);
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  for (const [returned, shown] of [
    [10n, '10n'],
    [circle, '<ref *1> { self: [Circular *1] }'],
  ] as const) {
    source.upcoming = () => returned as unknown as UpcomingEvent[];
    const { lines } = await runAt(bench, noon + hourMs);
    t.equal(lines[0]?.replace(/^.* got: /, ''), shown);
  }
  t.same((await messages(bench)).sort(), ['ann: a', 'ann: b']);
});

t.test('an error of a source is a stored problem until it is solved or the source is removed', async (t) => {
  const bench = await openProcedureBench(t);
  const source = calendar(t, meeting(noon + 2 * hourMs));
  const nonsense = { ...meeting(noon + hourMs), id: 'm2', subject: 5 as unknown as string };
  source.upcoming = () => [nonsense];
  await runAt(bench, noon);
  await runAt(bench, noon + hourMs / 2);
  const expected = ['event source meetings, event m2: expected subject to be a text, got: 5'];
  t.same(await problems(bench), expected);
  t.equal((await bench.db.selectFrom('data_problems').selectAll().executeTakeFirstOrThrow()).since, noon);
  await bench.run(checkdata);
  t.same(await problems(bench), expected, 'checkdata leaves it open');
  source.upcoming = () => {
    throw new Error('calendar is away');
  };
  await runAt(bench, noon + hourMs / 2);
  t.match(await problems(bench), [
    /^event source meetings, the source: its events could not be read.*calendar is away$/,
  ]);
  source.upcoming = () => [];
  await runAt(bench, noon + hourMs / 2);
  t.same(await problems(bench), []);
  source.upcoming = () => [nonsense];
  await runAt(bench, noon + hourMs / 2);
  t.same(await problems(bench), expected, 'and it may come back');
  registerEventSource(source)();
  await runAt(bench, noon + hourMs / 2);
  t.same(await problems(bench), []);
});

t.test('a large source may be a generator; reminders of missing events are dropped', async (t) => {
  const bench = await openProcedureBench(t);
  let count = 1300;
  t.teardown(
    registerEventSource({
      name: 'large',
      async *upcoming() {
        for (let i = 0; i < count; i++) yield meeting(noon + 2 * hourMs + i, { id: `e${i}` });
      },
    }),
  );
  t.same((await runAt(bench, noon)).lines, ['INFO large: 1300 reminders planned, 0 dropped']);
  count = 700;
  const { lines, progresses } = await runAt(bench, noon);
  t.same(lines, ['INFO large: 0 reminders planned, 600 dropped']);
  t.same(progresses.at(-1), [0, undefined, 'large: reminders planned']);
  t.equal((await planned(bench)).length, 700);
});

t.test('a generator that throws in the middle keeps its reminders', async (t) => {
  const bench = await openProcedureBench(t);
  let isBroken = false;
  t.teardown(
    registerEventSource({
      name: 'breaking',
      *upcoming() {
        for (let i = 0; i < 800; i++) {
          if (i === 600 && isBroken) throw new Error('no more');
          yield meeting(noon + (isBroken ? 3 : 2) * hourMs, { id: `e${i}` });
        }
      },
    }),
  );
  await runAt(bench, noon);
  isBroken = true;
  await runAt(bench, noon);
  const at = await planned(bench);
  t.same(
    [at.filter((minutes) => minutes === 60).length, at.filter((minutes) => minutes === 120).length],
    [800, 0],
  );
});

t.test('a source that is too slow, or never ends, does not block the others', async (t) => {
  const bench = await openProcedureBench(t);
  t.teardown(
    registerEventSource({ name: 'silent', timeoutMs: 20, upcoming: () => new Promise(() => undefined) }),
  );
  t.teardown(
    registerEventSource({
      name: 'endless',
      timeoutMs: 20,
      async *upcoming() {
        for (;;) {
          await setImmediate();
          yield meeting(noon + 2 * hourMs, { id: 'again' });
        }
      },
    }),
  );
  calendar(t, meeting(noon + 30 * minuteMs, { body: 'soon' }));
  const { lines } = await runAt(bench, noon);
  const away = 'its events could not be read, reminders stay as they are: no answer within 20 ms';
  t.ok(lines.includes(`WARNING silent: ${away}`));
  t.ok(lines.includes(`WARNING endless: ${away}`));
  t.same(await messages(bench), ['ann: soon']);
});

t.test('two jobs at once plan and send each reminder once', async (t) => {
  const bench = await openProcedureBench(t);
  const events = Array.from({ length: 40 }, (_, i) =>
    meeting(noon + 30 * minuteMs, { id: `e${i}`, body: `e${i}`, to: ['ann', 'bob'] }),
  );
  calendar(t, ...events);
  const jobs = [await bench.request(), await bench.request(), await bench.request()];
  await Promise.all(jobs.map((ar) => eventNotificationScheduler.run(ar)));
  const all = await messages(bench);
  t.equal(all.length, 80);
  t.equal(new Set(all).size, 80);
});

t.test('a run that ends during the answer of a source drops nothing', async (t) => {
  const bench = await openProcedureBench(t);
  const source = calendar(t, meeting(noon + 2 * hourMs));
  await runAt(bench, noon);
  await bench.run(eventNotificationScheduler, (ar) => {
    source.upcoming = () => {
      ar.abort();
      return [];
    };
  });
  t.same(await planned(bench), [60]);
});

t.test('a run that fails leaves no reminder half sent', async (t) => {
  const bench = await openProcedureBench(t);
  calendar(t, meeting(noon + 30 * minuteMs, { body: 'soon' }));
  // The message cannot be written, as with a full disk, so the mark must not be either.
  await bench.store.db.schema.alterTable('user_messages').renameTo('user_messages_away').execute();
  await t.rejects(bench.run(eventNotificationScheduler), { message: /user_messages/ });
  await bench.store.db.schema.alterTable('user_messages_away').renameTo('user_messages').execute();
  await runAt(bench, noon + 1);
  await runAt(bench, noon + 2);
  t.same(await messages(bench), ['ann: soon']);
});

t.test('a removed source sends no reminders, and past ones are deleted', async (t) => {
  const bench = await openProcedureBench(t);
  const unregister = registerEventSource({ name: 'gone', upcoming: () => [meeting(noon + 2 * hourMs)] });
  await runAt(bench, noon);
  unregister();
  await runAt(bench, noon + hourMs);
  t.same(await messages(bench), []);
  await runAt(bench, noon + 8 * 24 * hourMs);
  t.same(await bench.db.selectFrom('event_reminders').selectAll().execute(), []);
});

t.test('an invalid source is refused with its name', async (t) => {
  for (const [changes, message] of [
    [{ upcoming: 5 }, 'event source "a": expected upcoming to be a function, got: 5'],
    [
      { remindMinutesBefore: ['x'] },
      'event source "a": expected remindMinutesBefore[0] to be a number, got: "x"',
    ],
    [{ timeoutMs: -1 }, 'event source "a": expected timeoutMs to be more than 0, got: -1'],
    [{ lookAheadDays: 0 }, 'event source "a": expected lookAheadDays to be more than 0, got: 0'],
  ] as const) {
    const wrong = Object.assign({ name: 'a', upcoming: () => [] }, changes) as unknown as EventSource;
    t.throws(() => registerEventSource(wrong), { code: 'LINOD_ERR_INVALID_REGISTRATION', message });
  }
});
