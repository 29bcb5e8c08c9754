// What is decided about a rule that is due, at the edges of its policies. On a rule of every ten seconds, without a database.

import t from 'tap';
import { lateAfterMs } from '../../../src/rules/ledger-entry.js';
import { withDefaults } from '../../../src/rules/policies.js';
import { type Circumstances, type DecidedRule, decide, groupIsFull } from '../../../src/scheduler/decide.js';

const every = 10_000;
/** A due time that is not one of those at which anything ends by chance. */
const due = 1_000_000_000_000;

function rule(policies: Partial<DecidedRule['policies']> = {}, last = Number.POSITIVE_INFINITY): DecidedRule {
  return {
    policies: { ...withDefaults({}), ...policies },
    dueAfter(instant) {
      const next = Math.floor(instant.getTime() / every) * every + every;
      return next > last ? null : new Date(next);
    },
    skippedOrMovedBetween: () => [],
    jitterOf: () => 0,
  };
}

function at(now: number, circumstances: Partial<Circumstances> = {}): Circumstances {
  return {
    now,
    running: [],
    inGroup: 0,
    groupWait: null,
    hasSlot: true,
    pollingSince: 0,
    workerRanAt: () => true,
    delay: null,
    ...circumstances,
  };
}

/** The decision in short: what is done with which due time, what the ledger says, when it is due next. */
function short(decided: DecidedRule, circumstances: Circumstances): unknown[] {
  const { action, at, entries, next } = decide(decided, due, circumstances);
  const told = entries.map(
    ({ reason, dueAt, times }) => `${reason} ${dueAt === null ? '' : dueAt - due} ${times}`,
  );
  return [action.kind, at - due, told, next === null ? null : next - due];
}

t.test('a start is on time up to five seconds after its due time', async (t) => {
  t.same(short(rule(), at(due + lateAfterMs)), ['start', 0, ['started 0 1'], every]);
  t.same(short(rule(), at(due + lateAfterMs + 1)), ['start', 0, ['late 0 1'], every]);
});

t.test('misfire skip makes up for nothing from before the worker, however short ago that was', async (t) => {
  const skips = rule({ misfire: 'skip' });
  t.same(short(skips, at(due + 4300, { pollingSince: due + 4300 })), ['skip', 0, ['dropped 0 1'], every]);
  t.same(short(skips, at(due + 4300)), ['start', 0, ['started 0 1'], every], 'but what is on time runs');
  t.same(
    short(skips, at(due + 300, { pollingSince: due + 300 })),
    ['start', 0, ['started 0 1'], every],
    'also for a worker that has just begun',
  );
});

t.test('late is told with the reason', async (t) => {
  const detail = (circumstances: Partial<Circumstances>) =>
    decide(rule(), due, at(due + 6000, circumstances)).entries[0]?.detail;
  t.equal(detail({ workerRanAt: (instant) => instant > due }), 'by 6 s: no worker ran the rules then');
  t.equal(detail({ workerRanAt: (instant) => instant >= due }), 'by 6 s: the worker was busy or asleep');
  t.equal(
    detail({ delay: { for: 'outage', why: 'the database was away' } }),
    'by 6 s: the database was away',
  );
});

t.test(
  'misfire run-once: one run stands for all, at the oldest; a due time of just now is one of them',
  async (t) => {
    t.same(short(rule(), at(due + 2 * every - 1)), [
      'start',
      0,
      ['late 0 1', `dropped ${every} 1`],
      2 * every,
    ]);
    t.same(short(rule(), at(due + 2 * every)), ['start', 0, ['late 0 1', `dropped ${every} 2`], 3 * every]);
  },
);

t.test('misfire run-all: what passed is due next', async (t) => {
  const all = rule({ misfire: 'run-all' });
  t.same(short(all, at(due + 5 * every)), ['start', 0, ['late 0 1'], every]);
});

t.test('misfire skip: what is not on time is dropped, and only that', async (t) => {
  const skip = rule({ misfire: 'skip' });
  t.same(short(skip, at(due + lateAfterMs)), ['start', 0, ['started 0 1'], every]);
  t.same(short(skip, at(due + lateAfterMs + 1)), ['skip', 0, ['dropped 0 1'], every]);
  t.same(
    short(skip, at(due + every)),
    ['start', every, ['dropped 0 1', `started ${every} 1`], 2 * every],
    'a due time of this very moment is on time',
  );
  const waited = at(due + 6000, { delay: { for: 'run', why: 'job 7 was still running' } });
  t.same(short(skip, waited), ['start', 0, ['late 0 1'], every], 'who waited for its own run missed nothing');
});

t.test(
  'a rule that runs after another has no end of its own, also when a time of it is dropped',
  async (t) => {
    const after = rule({ misfire: 'skip', runAfter: 'report' }, 0);
    t.same(short(after, at(due + lateAfterMs + 1)), ['skip', 0, ['dropped 0 1'], null]);
    t.same(short(after, at(due)), ['start', 0, ['started 0 1'], null]);
  },
);

t.test('misfire skip drops a time that waited too long for its group', async (t) => {
  const delay = { for: 'group', why: 'group mail was at its limit of 2' } as const;
  const skips = rule({ misfire: 'skip' });
  t.same(short(skips, at(due + lateAfterMs + 1, { delay })), ['skip', 0, ['skipped 0 1'], every]);
});

t.test('a window: what is as old is made up for; one shorter than five seconds means five', async (t) => {
  const window = rule({ misfireWindowSeconds: 15 });
  t.same(short(window, at(due + 15_000)), ['start', 0, ['late 0 1', `dropped ${every} 1`], 2 * every]);
  t.same(short(window, at(due + 15_001)), ['start', every, ['dropped 0 1', `late ${every} 1`], 2 * every]);
  const tiny = rule({ misfireWindowSeconds: 1 });
  t.same(short(tiny, at(due + lateAfterMs)), ['start', 0, ['started 0 1'], every]);
});

t.test(
  'the last due time ends the rule, also where it is dropped; one that runs after others never ends',
  async (t) => {
    t.same(short(rule({}, due), at(due)), ['start', 0, ['started 0 1', 'ended  1'], null]);
    const over = rule({ misfire: 'skip' }, due);
    t.same(short(over, at(due + 6000)), ['skip', 0, ['dropped 0 1', 'ended  1'], null]);
    const last = rule({}, due + every);
    t.same(short(last, at(due + every)), ['start', 0, ['late 0 1', `dropped ${every} 1`, 'ended  1'], null]);
    t.same(short(rule({ runAfter: 'first' }, due), at(due)), ['start', 0, ['started 0 1'], null]);
  },
);

t.test('overlap: skipped, or waited for, or the runs before are asked to end, all of them', async (t) => {
  const running = [
    { jobId: 7, since: due - 1 },
    { jobId: 8, since: due - 1 },
  ];
  const action = (policies: Partial<DecidedRule['policies']>, now = due) =>
    decide(rule(policies), due, at(now, { running })).action;
  const wait = { kind: 'wait', for: 'run', why: 'job 7 was still running' };
  t.same(action({}), { kind: 'skip' });
  t.same(action({ overlap: 'queue-one' }), { ...wait, cancel: [] });
  t.same(action({ overlap: 'allow' }), { kind: 'start' });
  t.same(action({ overlap: 'cancel-previous' }), { ...wait, cancel: [7, 8] });
  // What is made up for comes one after the other; what is on time is skipped all the same.
  t.same(action({ misfire: 'run-all' }, due + lateAfterMs), { kind: 'skip' });
  t.same(action({ misfire: 'run-all' }, due + lateAfterMs + 1), { ...wait, cancel: [] });
});

t.test('a group is full at its limit, and nobody overtakes who waits for it', async (t) => {
  const mail = { group: 'mail', groupLimit: 2 };
  t.equal(groupIsFull(mail, 1, null), null);
  t.equal(groupIsFull(mail, 2, null), 'group mail was at its limit of 2');
  t.equal(groupIsFull(mail, 0, 'group mail was at its limit of 1'), 'group mail was at its limit of 1');
  t.equal(groupIsFull({ group: '', groupLimit: 1 }, 5, 'x'), null);
  t.match(decide(rule(mail), due, at(due, { inGroup: 2 })).action, { kind: 'wait', for: 'group' });
  t.match(decide(rule(), due, at(due, { hasSlot: false })).action, { kind: 'wait', for: 'slot' });
});
