import t from 'tap';
import type { Trace, TraceEventName } from '../../../../channels/index.js';
import {
  isKnown,
  silenceLines,
  traceLines,
  unknownLine,
} from '../../../../src/commands/channels/trace-view.js';

const at = Date.UTC(2026, 10, 24, 12);
const view = { now: at + 5000, localTime: (instant: Date) => instant.toISOString().slice(11, 23) };
const web = { id: 'w', name: 'web', pid: 812, host: 'one' };
const worker = { id: 'r', name: 'runworker', pid: 4711, host: 'two\u001b[m' };

function trace(events: readonly TraceEventName[], more: Partial<Trace> = {}): Trace {
  return {
    id: '0123456789abcdef',
    events: events.map((event, i) => ({
      ...{ at: at + i, event, channel: 'mail' },
      process: event === 'sent' ? web : worker,
    })),
    silent: [],
    ...more,
  };
}

t.test("a message's way is told in sentences", async (t) => {
  t.same(traceLines(trace(['sent', 'received', 'started', 'handled', 'acknowledged']), view), [
    '12:00:00.000  sent to mail by web[812] on one',
    '12:00:00.001  received from mail by runworker[4711] on two\\x1b[m',
    '12:00:00.002  given to its handler in runworker[4711] on two\\x1b[m',
    '12:00:00.003  handled in runworker[4711] on two\\x1b[m',
    '12:00:00.004  acknowledged by runworker[4711] on two\\x1b[m',
    'it was acknowledged; that is the end of it',
  ]);
});

const outcomes: ReadonlyArray<[events: readonly TraceEventName[], outcome: RegExp]> = [
  [['sent'], /^what became of it is not known: it is not among the messages on mail/],
  [['sent', 'received'], /^it was received; what became of it then is not known$/],
  [['sent', 'received', 'started'], /^it is being handled, unless runworker\[4711\] on two.* has ended$/],
  [['sent', 'received', 'started', 'failed'], /^its handler failed; /],
  [['sent', 'received', 'returned'], /^it was put back; what became/],
  [['sent', 'received', 'released'], /^it was given back; what became/],
  [['sent', 'dropped'], /^it was dropped; that is the end of it$/],
  [['sent', 'received', 'redelivered', 'dead'], /^it is a dead letter: linod channels peek mail\.dead$/],
];

for (const [events, outcome] of outcomes) {
  t.test(`after ${events.join(', ')} it says where the message is, as far as is known`, async (t) => {
    const lines = traceLines(trace(events), view);
    t.equal(lines.length, events.length + 1);
    t.match(lines.at(-1), outcome);
  });
}

t.test('a message that waits is told with its age, one on lease with what is left of that', async (t) => {
  const waiting = { id: 'x', channels: ['mail'], bytes: 1, deliveries: 1, sentAt: at };
  t.equal(traceLines(trace(['sent'], { waiting }), view).at(-1), 'it waits on mail, sent 5 s ago');
  t.equal(
    traceLines(trace(['sent', 'received'], { waiting: { ...waiting, leaseEndsAt: at + 15_000 } }), view).at(
      -1,
    ),
    'it is on lease on mail for 10 s more',
  );
});

t.test('what is not known is said', async (t) => {
  const lines = traceLines(trace(['received', 'handled']), view);
  t.match(lines[0], /^who sent it is not known: /);
  t.equal(lines.length, 4);
  const silent = [{ ...web, startedAt: 0, seenAt: 0, receives: [] }];
  t.same(silenceLines(trace(['sent'], { silent })), [
    '1 process may know more, but did not answer: web[812] on one',
  ]);
  t.same(silenceLines(trace(['sent'])), []);
});

t.test('clocks that differ change neither who sent it nor what became of it', async (t) => {
  const early = trace(['received', 'started', 'handled', 'sent']);
  t.equal(traceLines(early, view).length, 5, 'the sender is known');
  const other = { ...worker, id: 'o' };
  const again = ['redelivered', 'acknowledged'] as const;
  const events = [
    ...trace(['sent', 'received']).events,
    ...again.map((event, i) => ({ at: at + 2 + i, event, channel: 'mail', process: other })),
    ...trace(['failed']).events,
  ];
  t.equal(traceLines(trace([], { events }), view).at(-1), 'it was acknowledged; that is the end of it');
});

t.test('a message that nobody knows is told as such', async (t) => {
  t.equal(isKnown(trace([])), false);
  t.equal(isKnown(trace(['sent'])), true);
  t.match(unknownLine('0123456789abcdef'), /^nothing is known of message 0123456789abcdef: /);
});
