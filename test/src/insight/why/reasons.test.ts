// For every reason of the ledger: how it arises, and the sentence that describes it.

import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { ruleStory } from '../../../../src/insight/why/rule-story.js';
import { type Reason, reasons } from '../../../../src/rules/reasons.js';
import { gate } from '../../../support/gate.js';
import { type Bench, noon, openBench } from '../../../support/site.js';
import { until } from '../../../support/until.js';

const every10 = { every: 10, everyUnit: 'secondly' } as const;
const nothing = () => undefined;

/** The sentences about a rule, the newest last. */
async function sentences(bench: Bench, ruleId = 1): Promise<string[]> {
  const { entries } = await ruleStory(bench, ruleId, { now: new Date(bench.clock.now()), limit: 100 });
  return entries.map(({ at, reason, sentence }) => `${(at.getTime() - noon) / 1000} ${reason}: ${sentence}`);
}

/** A bench of one rule, of which a run was given up as lost. */
async function withLostRun(t: Test, options: object): Promise<Bench> {
  const dead = gate();
  const bench = await withTick(t, options, () => dead.promise);
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.ends.giveUpLost();
  dead.open();
  await bench.tasks.settled();
  return bench;
}

/** Runs due rules after some seconds, and waits until the runs end. */
async function runAfter(bench: Bench, seconds: number): Promise<void> {
  bench.clock.advance(seconds * 1000);
  await bench.tasks.run();
  await bench.tasks.settled();
}

interface Case {
  /** How the reason arises. */
  readonly when: string;
  provoke(t: Test): Promise<Bench>;
  /** The last sentence with this reason. */
  readonly sentence: string | RegExp;
}

async function withTick(t: Test, options: object = {}, func: () => unknown = nothing): Promise<Bench> {
  const bench = await openBench(t);
  bench.add('tick', func, { ...every10, ...options });
  await bench.tasks.setup();
  return bench;
}

/** A bench whose rule is due again while its first run goes on. */
async function withLong(t: Test, options: object): Promise<Bench> {
  const long = gate();
  let runs = 0;
  const bench = await withTick(t, options, () => (++runs === 1 ? long.promise : undefined));
  bench.clock.advance(10_000);
  await bench.tasks.run();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  bench.clock.advance(20_000);
  long.open();
  await until('the run has ended', () => bench.tasks.running.length === 0);
  await runAfter(bench, 0);
  return bench;
}

const cases: Readonly<Record<Reason, readonly Case[]>> = {
  started: [
    {
      when: 'it is run on time',
      provoke: async (t) => {
        const bench = await withTick(t);
        await runAfter(bench, 10);
        return bench;
      },
      sentence: '10 started: run on time; job 1 was done after 0 ms',
    },
    {
      when: 'jitter moves it',
      provoke: async (t) => {
        const bench = await withTick(t, { everyUnit: 'hourly', every: 1, jitterSeconds: 1000 });
        const due = (await bench.rules.get(1)).nextDueAt?.getTime() ?? 0;
        await runAfter(bench, (due - noon) / 1000);
        return bench;
      },
      sentence: /^[\d.]+ started: run on time, moved by .* of jitter; job 1 was done after 0 ms$/,
    },
  ],
  late: [
    {
      when: 'no worker ran',
      provoke: async (t) => {
        const bench = await withTick(t);
        bench.clock.advance(25_000);
        bench.tasks.startPolling();
        await runAfter(bench, 0);
        return bench;
      },
      sentence: '10 late: run late, by 15 s: no worker ran the rules then; job 1 was done after 0 ms',
    },
    {
      when: 'the database was away',
      provoke: async (t) => {
        const bench = await withTick(t);
        await sql`alter table job_rules rename to away`.execute(bench.store.db);
        bench.clock.advance(10_000);
        await t.rejects(bench.tasks.run());
        bench.clock.advance(10_000);
        await sql`alter table away rename to job_rules`.execute(bench.store.db);
        await runAfter(bench, 0);
        return bench;
      },
      sentence: /^10 late: run late, by 10 s: the database was away; job 1 was done/,
    },
    {
      when: 'it waited for the run before',
      provoke: async (t) => await withLong(t, { overlap: 'queue-one' }),
      sentence: /^20 late: run late, by 20 s: job 1 was still running; job 2 was done/,
    },
    {
      when: 'its group was at its limit',
      provoke: async (t) => {
        const bench = await openBench(t);
        const long = gate();
        bench.add('second', nothing, { every: 1, everyUnit: 'minutely', group: 'mail' });
        bench.add('first', () => long.promise, { ...every10, group: 'mail', priority: 5 });
        await bench.tasks.setup();
        bench.clock.advance(50_000);
        await bench.tasks.run();
        bench.clock.advance(10_000);
        await bench.tasks.run();
        bench.clock.advance(20_000);
        long.open();
        await until('the run has ended', () => bench.tasks.running.length === 0);
        await bench.rules.cancel(2);
        await runAfter(bench, 0);
        return bench;
      },
      sentence: /^60 late: run late, by 20 s: group mail was at its limit of 1; job \d was done/,
    },
    {
      when: 'all slots were taken',
      provoke: async (t) => {
        const bench = await openBench(t, { maxJobs: 1 });
        const long = gate();
        bench.add('second', nothing, { every: 1, everyUnit: 'minutely' });
        bench.add('first', () => long.promise, { ...every10, priority: 5 });
        await bench.tasks.setup();
        bench.clock.advance(50_000);
        await bench.tasks.run();
        bench.clock.advance(10_000);
        await bench.tasks.run();
        bench.clock.advance(20_000);
        long.open();
        await until('the run has ended', () => bench.tasks.running.length === 0);
        await bench.rules.cancel(2);
        await runAfter(bench, 0);
        return bench;
      },
      sentence: /^60 late: run late, by 20 s: all job slots were taken; job \d was done/,
    },
    {
      when: 'the clock is set forward',
      provoke: async (t) => {
        const bench = await withTick(t);
        bench.clock.setTo(noon + 86_400_000);
        await runAfter(bench, 0);
        return bench;
      },
      sentence: /^10 late: run late, by 23 h 59 min: the clock was set forward by 1 d; job 1 was done/,
    },
    {
      when: 'the worker did nothing for a while',
      provoke: async (t) => {
        const bench = await withTick(t);
        await runAfter(bench, 30);
        return bench;
      },
      sentence: /^10 late: run late, by 20 s: the worker was busy or asleep; job 1 was done/,
    },
  ],
  requested: [
    {
      when: 'a person asks for a run',
      provoke: async (t) => {
        const bench = await withTick(t);
        await bench.requests.add(1, 'run', 'robin');
        await runAfter(bench, 0);
        return bench;
      },
      sentence: '0 requested: a run was requested by robin, request 1; job 1 was done after 0 ms',
    },
  ],
  again: [
    {
      when: 'a run failed and is tried again',
      provoke: async (t) => {
        let runs = 0;
        const func = () => {
          if (++runs === 1) throw new Error('no stock');
        };
        const bench = await withTick(
          t,
          { onFailure: 'retry', everyUnit: 'hourly', retryDelaySeconds: 1 },
          func,
        );
        await runAfter(bench, 36_000);
        await runAfter(bench, 2);
        return bench;
      },
      sentence: '36002 again: attempt 2, after job 1, which failed, request 1; job 2 was done after 0 ms',
    },
    {
      when: 'a run was lost and is run again',
      provoke: async (t) => {
        const bench = await openBench(t, { workerId: 'w1' });
        const dead = gate();
        bench.add('tick', () => dead.promise, { everyUnit: 'hourly', onLost: 'run-again' });
        await bench.tasks.setup();
        bench.clock.advance(3_600_000);
        await bench.tasks.run();
        const second = await openBench(t, { workerId: 'w2', store: bench.store, clock: bench.clock });
        second.add('tick', nothing, { everyUnit: 'hourly', onLost: 'run-again' });
        await second.ends.giveUpLost();
        await runAfter(second, 0);
        dead.open();
        await bench.tasks.settled();
        return second;
      },
      sentence: /^3600 again: attempt 2, after job 1, which was lost, request 1; job 2 was done after /,
    },
  ],
  skipped: [
    {
      when: 'the run before still goes on',
      provoke: async (t) => await withLong(t, { overlap: 'skip', misfire: 'skip' }),
      sentence: /^20 skipped: not run: job 1 was still running, for 10 s$/,
    },
    {
      when: 'a run is asked for while one goes on',
      provoke: async (t) => {
        const long = gate();
        const bench = await withTick(t, {}, () => long.promise);
        bench.clock.advance(10_000);
        await bench.tasks.run();
        await bench.requests.add(1, 'run', 'robin');
        await bench.tasks.run();
        long.open();
        await bench.tasks.settled();
        return bench;
      },
      sentence: '10 skipped: not run: request 1: job 1 was still running',
    },
    {
      when: 'it waited for so long that it is too late',
      provoke: async (t) => {
        const bench = await openBench(t, { maxJobs: 1 });
        const long = gate();
        bench.add('second', nothing, { every: 1, everyUnit: 'minutely', misfire: 'skip' });
        bench.add('first', () => long.promise, { ...every10, priority: 5 });
        await bench.tasks.setup();
        bench.clock.advance(50_000);
        await bench.tasks.run();
        bench.clock.advance(10_000);
        await bench.tasks.run();
        bench.clock.advance(20_000);
        long.open();
        await until('the run has ended', () => bench.tasks.running.length === 0);
        await runAfter(bench, 0);
        return bench;
      },
      sentence: '60 skipped: not run: too late: all job slots were taken',
    },
    {
      when: 'the clock was set forward over a time that is not made up for',
      provoke: async (t) => {
        const bench = await withTick(t, { everyUnit: 'minutely', misfire: 'skip' });
        bench.clock.setTo(noon + 3_600_000 - 1000);
        await runAfter(bench, 0);
        return bench;
      },
      sentence:
        '600 skipped: 5 due times up to 2026-11-24T12:50:00+00:00 were not run: too late: the clock was set forward by 59 min 59 s',
    },
    {
      when: 'the rule was cancelled',
      provoke: async (t) => {
        const bench = await withTick(t);
        await bench.rules.cancel(1);
        bench.clock.advance(35_000);
        await bench.rules.resume(1);
        return bench;
      },
      sentence:
        '10 skipped: 3 due times up to 2026-11-24T12:00:30+00:00 were not run: the rule was cancelled then',
    },
    {
      when: 'its procedure was gone',
      provoke: async (t) => {
        const bench = await withTick(t);
        await bench.rules.sync([]);
        bench.clock.advance(15_000);
        await bench.tasks.setup();
        return bench;
      },
      sentence: '10 skipped: not run: no procedure tick was registered then',
    },
    {
      when: 'the day is excluded',
      provoke: async (t) => {
        const bench = await withTick(t, { every: 1, everyUnit: 'daily', excluded: ['wed'] });
        await runAfter(bench, 2 * 86_400);
        return bench;
      },
      sentence: '86400 skipped: not run: excluded by wed',
    },
  ],
  dropped: [
    {
      when: 'one run makes up for several due times',
      provoke: async (t) => {
        const bench = await withTick(t);
        await runAfter(bench, 45);
        return bench;
      },
      sentence:
        '20 dropped: 3 due times up to 2026-11-24T12:00:40+00:00 passed meanwhile: job 1 made up for them',
    },
    {
      when: 'what passed while no worker ran is not made up for',
      provoke: async (t) => {
        const bench = await withTick(t, { misfire: 'skip' });
        bench.clock.advance(38_000);
        bench.tasks.startPolling();
        await runAfter(bench, 0);
        return bench;
      },
      sentence:
        '10 dropped: 3 due times up to 2026-11-24T12:00:30+00:00 were not made up for: passed while no worker ran the rules: misfire is skip',
    },
    {
      when: 'what passed is too long ago',
      provoke: async (t) => {
        const bench = await withTick(t, { misfireWindowSeconds: 15 });
        await runAfter(bench, 38);
        return bench;
      },
      sentence:
        '10 dropped: 2 due times up to 2026-11-24T12:00:20+00:00 were not made up for: passed while the worker was busy or asleep: more than 15 s ago',
    },
    {
      when: 'the rule is edited meanwhile',
      provoke: async (t) => {
        const bench = await withTick(t);
        bench.clock.advance(12_000);
        await bench.rules.edit(1, { every: 7 });
        return bench;
      },
      sentence: '10 dropped: not made up for: edited before it started',
    },
    {
      when: 'the rule is cancelled meanwhile',
      provoke: async (t) => {
        const bench = await withTick(t);
        bench.clock.advance(12_000);
        await bench.rules.cancel(1);
        return bench;
      },
      sentence: '10 dropped: not made up for: cancelled before it started',
    },
  ],
  taken: [
    {
      when: 'the due time has run before',
      provoke: async (t) => {
        const bench = await withTick(t);
        await runAfter(bench, 10);
        await bench.store.db
          .updateTable('job_rules')
          .set({ next_due_at: noon + 10_000 })
          .execute();
        await runAfter(bench, 0);
        return bench;
      },
      sentence: '10 taken: not run again: it was run before, as job 1 of worker w1',
    },
  ],
  moved: [
    {
      when: 'the clock is set back',
      provoke: async (t) => {
        const bench = await withTick(t);
        await runAfter(bench, 86_400);
        bench.clock.setTo(noon + 86_000_000);
        await bench.tasks.run();
        return bench;
      },
      sentence:
        /^\d+ moved: due at another time: from 2026-11-25T12:00:10\+00:00 to 2026-11-25T11:53:30\+00:00: the clock was set back by 6 min 40 s$/,
    },
    {
      when: 'the clock is set back while no worker runs',
      provoke: async (t) => {
        const bench = await withTick(t);
        bench.clock.setTo(noon - 5000);
        await bench.tasks.setup();
        return bench;
      },
      sentence:
        '-5 moved: due at another time: from 2026-11-24T12:00:10+00:00 to 2026-11-24T12:00:00+00:00: the clock or the time zone changed',
    },
    {
      when: 'an excluded day puts it off',
      provoke: async (t) => {
        const options = {
          every: 1,
          everyUnit: 'daily',
          excluded: ['wed'],
          onExcluded: 'postpone',
          weekdays: ['wednesday'],
        };
        const bench = await withTick(t, options);
        await runAfter(bench, 2 * 86_400);
        return bench;
      },
      sentence: '172800 moved: due at another time: from 2026-11-25T12:00:00+00:00: excluded by wed',
    },
    {
      when: 'the clocks skip the time',
      provoke: async (t) => {
        const options = {
          every: 1,
          everyUnit: 'yearly',
          startDatetime: '2026-03-29T03:30:00',
          timezone: 'Europe/Tallinn',
        } as const;
        const bench = await openBench(t);
        bench.clock.setTo(Date.UTC(2026, 2, 1));
        bench.add('tick', nothing, options);
        await bench.tasks.setup();
        await runAfter(bench, 30 * 86_400);
        return bench;
      },
      sentence: /moved: due at another time: the clocks skip 2026-03-29T03:30:00$/,
    },
  ],
  lost: [
    {
      when: "a run's worker is gone",
      provoke: (t) => withLostRun(t, {}),
      sentence: '10 lost: lost: job 1: worker w1 ended meanwhile: the reason is unknown',
    },
  ],
  cancelled: [
    {
      when: 'a person cancels the rule',
      provoke: async (t) => {
        const bench = await withTick(t);
        await bench.rules.cancel(1);
        return bench;
      },
      sentence: '0 cancelled: the rule was cancelled by w1',
    },
    {
      when: 'a run failed',
      provoke: async (t) => {
        const bench = await withTick(t, {}, () => Promise.reject(new Error('no stock')));
        await runAfter(bench, 10);
        return bench;
      },
      sentence: '10 cancelled: the rule was cancelled: failed: Error: no stock (job 1)',
    },
    {
      when: 'a run was lost, and the rule is not to go on then',
      provoke: (t) => withLostRun(t, { onLost: 'cancel' }),
      sentence: '10 cancelled: the rule was cancelled: failed: job 1 was lost',
    },
  ],
  resumed: [
    {
      when: 'a person resumes it',
      provoke: async (t) => {
        const bench = await withTick(t);
        await bench.rules.cancel(1);
        await bench.rules.resume(1);
        return bench;
      },
      sentence: '0 resumed: the rule was resumed by w1',
    },
  ],
  reactivated: [
    {
      when: 'the rules are set up after a failure',
      provoke: async (t) => {
        const bench = await withTick(t, {}, () => Promise.reject(new Error('no')));
        await runAfter(bench, 10);
        await bench.tasks.setup();
        return bench;
      },
      sentence: '10 reactivated: rule set-up made the rule active again: it was reactivated',
    },
    {
      when: 'the procedure is back',
      provoke: async (t) => {
        const bench = await withTick(t);
        await bench.rules.sync([]);
        await bench.tasks.setup();
        return bench;
      },
      sentence: '0 reactivated: rule set-up made the rule active again: it was restored',
    },
  ],
  edited: [
    {
      when: 'a person changes the rule',
      provoke: async (t) => {
        const bench = await withTick(t);
        await bench.rules.edit(1, { every: 7 });
        return bench;
      },
      sentence: '0 edited: the rule was changed: every = 7, by w1',
    },
    {
      when: 'a person takes a change back',
      provoke: async (t) => {
        const bench = await withTick(t);
        await bench.rules.edit(1, { every: null, when: null });
        return bench;
      },
      sentence: '0 edited: the rule was changed: every as suggested, when as suggested, by w1',
    },
  ],
  removed: [
    {
      when: 'the procedure is gone',
      provoke: async (t) => {
        const bench = await withTick(t);
        await bench.rules.sync([]);
        return bench;
      },
      sentence: '0 removed: the rule was removed: no procedure tick is registered',
    },
  ],
  ended: [
    {
      when: 'the last due time was run',
      provoke: async (t) => {
        const bench = await withTick(t, { until: '2026-11-24T12:00:15' });
        await runAfter(bench, 10);
        return bench;
      },
      sentence: '10 ended: the rule has ended: it has no further due times',
    },
  ],
};

for (const reason of reasons) {
  for (const { when, provoke, sentence } of cases[reason]) {
    t.test(`the reason is ${reason} when ${when}`, async (t) => {
      const lines = await sentences(await provoke(t));
      const last = lines.filter((line) => line.split(' ')[1] === `${reason}:`).at(-1);
      t.match(last ?? lines, sentence);
      if (typeof sentence === 'string') t.equal(last, sentence);
    });
  }
}
