import t, { type Test } from 'tap';
import { simulationLines } from '../../../../src/commands/views/simulation.js';
import type { RuleReport, SimulationReport } from '../../../../src/insight/simulate/report.js';
import { simulateSite } from '../../../../src/insight/simulate/site.js';
import type { ScheduleOptions } from '../../../../src/rules/procedure.js';
import type { JobStatus } from '../../../../src/runs/job.js';
import { type Bench, noon, openBench } from '../../../support/site.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const everyMinute = { everyUnit: 'minutely', every: 1, startDatetime: '2026-11-24T12:00:00' } as const;

interface Simulated extends SimulationReport {
  readonly named: Readonly<Record<string, RuleReport>>;
}

interface Given {
  readonly rules: Readonly<Record<string, ScheduleOptions & { readonly takesMs: number }>>;
  readonly forMs: number;
  readonly slots?: number;
}

/** Simulates rules that each have one past run of the given length. */
async function simulated(t: Test, { rules, forMs, slots = 10 }: Given): Promise<Simulated> {
  const bench = await openBench(t);
  for (const [name, { takesMs: _, ...options }] of Object.entries(rules))
    bench.add(name, () => undefined, { onFailure: 'continue', ...options });
  await bench.tasks.setup();
  for (const rule of await bench.rules.list())
    await addRun(bench, rule.id, rules[rule.procedure]?.takesMs ?? 0);
  const report = await simulateSite({
    db: bench.store.db,
    rules: await bench.rules.list(),
    from: new Date(noon),
    to: new Date(noon + forMs),
    slots,
    timezone: 'UTC',
    defaultDurationMs: 1000,
  });
  return { ...report, named: Object.fromEntries(report.rules.map((rule) => [rule.name, rule])) };
}

async function addRun(
  bench: Bench,
  ruleId: number,
  tookMs: number,
  status: JobStatus = 'done',
): Promise<void> {
  const row = {
    rule_id: ruleId,
    procedure: 'any',
    start_datetime: noon - dayMs,
    end_datetime: noon - dayMs + tookMs,
    status,
    message: '',
    worker_id: 'w0',
  };
  await bench.store.db.insertInto('jobs').values(row).execute();
}

t.test('rules that do not overlap run at all their due times, on time', async (t) => {
  const { named, runs, mostRunning, mostWaiting, fullMs } = await simulated(t, {
    rules: {
      minutely: { ...everyMinute, takesMs: 1000 },
      daily: { startDatetime: 'T20:00:30', takesMs: 2000 },
    },
    forMs: 2 * dayMs,
  });
  t.match(named.minutely, { runs: 2880, late: 0, overlaps: 0, skipped: 0, dropped: 0, durationMs: 1000 });
  t.match(named.daily, { runs: 2, late: 0 });
  t.equal(runs, 2882);
  t.match(mostRunning, { count: 1, at: noon, rules: [1] });
  t.match(mostWaiting, { count: 0, at: null });
  t.equal(fullMs, 0);
});

t.test('the overlap policy decides when a run takes longer than the interval of its rule', async (t) => {
  const slow = { ...everyMinute, takesMs: 90_000 };
  const { named, mostRunning } = await simulated(t, {
    rules: {
      skipping: { ...slow, overlap: 'skip' },
      queueing: { ...slow, overlap: 'queue-one' },
      both: { ...slow, overlap: 'allow' },
      ending: { ...slow, overlap: 'cancel-previous' },
    },
    forMs: hourMs,
  });
  t.match(named.skipping, { runs: 30, overlaps: 30, skipped: 30, late: 0 });
  t.match(named.both, { runs: 60, overlaps: 59, skipped: 0, late: 0 });
  t.match(named.ending, { runs: 60, overlaps: 59, cancelled: 59, late: 0 });
  // It runs without a pause: 40 times in an hour.
  t.match(named.queueing, { runs: 40, skipped: 0 });
  t.ok((named.queueing?.late ?? 0) > 0);
  t.equal(mostRunning.count, 5);
});

t.test('with too few slots rules wait, those with a higher priority less', async (t) => {
  const noonly = { startDatetime: 'T13:00:00', takesMs: 10 * minuteMs };
  const { named, mostWaiting, fullMs } = await simulated(t, {
    rules: { first: noonly, second: noonly, urgent: { ...noonly, priority: 5 } },
    forMs: dayMs,
    slots: 1,
  });
  t.match(named.urgent, { late: 0, worstLateMs: 0 });
  t.match(named.first, { late: 1, worstLateMs: 10 * minuteMs });
  t.match(named.second, { late: 1, worstLateMs: 20 * minuteMs });
  t.match(mostWaiting, { count: 2, at: noon + hourMs, rules: [1, 2] });
  t.equal(fullMs, 30 * minuteMs);
});

t.test('the slot of a cancelled run goes first to the run that cancelled it', async (t) => {
  const { named } = await simulated(t, {
    rules: {
      // Each run cancels the one before, and no slot is left for the other rule.
      urgent: { ...everyMinute, takesMs: 90_000, overlap: 'cancel-previous', priority: 1 },
      patient: { ...everyMinute, takesMs: 1000 },
    },
    forMs: 10 * minuteMs,
    slots: 1,
  });
  t.match(named.urgent, { runs: 10, cancelled: 9, late: 0 });
  t.match(named.patient, { runs: 0 });
});

t.test('a group keeps to its limit, however many slots are free', async (t) => {
  const mail = { startDatetime: 'T13:00:00', takesMs: 10 * minuteMs, group: 'mail', groupLimit: 2 };
  const { named, mostRunning } = await simulated(t, {
    rules: { a: mail, b: mail, c: mail, other: { startDatetime: 'T13:00:00', takesMs: minuteMs } },
    forMs: dayMs,
  });
  t.match([named.a, named.b, named.other], [{ late: 0 }, { late: 0 }, { late: 0 }]);
  t.match(named.c, { late: 1, worstLateMs: 10 * minuteMs });
  t.equal(mostRunning.count, 3);
});

t.test('due times that a misfire policy does not make up for are dropped', async (t) => {
  const blocking = { startDatetime: 'T13:00:00', takesMs: hourMs, priority: 1 };
  const { named } = await simulated(t, {
    rules: {
      blocking,
      once: { ...everyMinute, takesMs: 0 },
      never: { ...everyMinute, takesMs: 0, misfire: 'skip' },
      all: { ...everyMinute, takesMs: 0, misfire: 'run-all' },
    },
    forMs: 3 * hourMs,
    slots: 1,
  });
  // When the last late run has just begun, the next one is due already.
  t.match(named.all, { runs: 179, skipped: 1, dropped: 0, worstLateMs: hourMs });
  t.match(named.once, { runs: 120, dropped: 60 });
  t.match(named.never, { runs: 120, dropped: 60, late: 0 });
});

t.test('a rule that runs after another is due when the other is done', async (t) => {
  const { named, mostRunning } = await simulated(t, {
    rules: {
      first: { everyUnit: 'hourly', every: 1, startDatetime: '2026-11-24T12:30:00', takesMs: 5 * minuteMs },
      second: { runAfter: 'first', takesMs: minuteMs },
      third: { runAfter: 'second', takesMs: minuteMs },
    },
    forMs: 6 * hourMs,
  });
  t.match([named.first, named.second, named.third], [{ runs: 6 }, { runs: 6 }, { runs: 6, late: 0 }]);
  t.equal(mostRunning.count, 1);
});

t.test('a run ends at its timeout, and starts no follower', async (t) => {
  const { named } = await simulated(t, {
    rules: {
      long: { startDatetime: 'T13:00:00', takesMs: hourMs, timeoutSeconds: 60 },
      after: { runAfter: 'long', takesMs: 0 },
    },
    forMs: dayMs,
  });
  t.match(named.long, { runs: 1, timeouts: 1 });
  t.match(named.after, { runs: 0 });
});

t.test('excluded times are skipped or postponed, and jitter keeps rules apart', async (t) => {
  // 24 November 2026 is a Tuesday.
  const { named, mostRunning } = await simulated(t, {
    rules: {
      skipping: { startDatetime: 'T20:00:00', excluded: ['wed', 'thu'], takesMs: 1000 },
      postponing: {
        everyUnit: 'weekly',
        weekdays: ['wednesday'],
        startDatetime: 'T20:00:00',
        excluded: ['wed', 'thu'],
        onExcluded: 'postpone',
        takesMs: 1000,
        jitterSeconds: 3600,
      },
    },
    forMs: 7 * dayMs,
  });
  t.match(named.skipping, { runs: 5, notDue: 2, moved: 0 });
  t.match(named.postponing, { runs: 1, notDue: 0, moved: 1, late: 0 });
  t.equal(mostRunning.count, 1);
});

t.test('the report has the idle time, and the hours of the day without runs', async (t) => {
  const { idleMs, longestIdle, busyMsByHour } = await simulated(t, {
    rules: { evening: { startDatetime: 'T20:30:00', takesMs: hourMs } },
    forMs: 2 * dayMs,
  });
  t.equal(idleMs, 46 * hourMs);
  t.same(longestIdle, { from: noon + 9.5 * hourMs, to: noon + 32.5 * hourMs });
  const expected = Array.from({ length: 24 }, (_, hour) => (hour === 20 || hour === 21 ? hourMs : 0));
  t.same(busyMsByHour, expected);
});

t.test('the report lists clock changes with the rules that they affect', async (t) => {
  const tallinn = { timezone: 'Europe/Tallinn', takesMs: 0 };
  const { clockChanges } = await simulated(t, {
    rules: {
      night: { ...tallinn, startDatetime: 'T03:30:00' },
      skipping: { ...tallinn, startDatetime: 'T03:30:00', missingTime: 'skipped' },
      evening: { ...tallinn, startDatetime: 'T20:00:00' },
      hourly: { ...tallinn, everyUnit: 'hourly', every: 1 },
    },
    forMs: 365 * dayMs,
  });
  const [night, skipping] = [
    { rule: 1, name: 'night' },
    { rule: 2, name: 'skipping' },
  ];
  t.same(clockChanges, [
    {
      at: Date.UTC(2027, 2, 28, 1),
      timezone: 'Europe/Tallinn',
      changeMs: hourMs,
      effects: [
        { ...night, wall: '2027-03-28T03:30:00', note: 'shifted' },
        { ...skipping, wall: '2027-03-28T03:30:00', note: 'skipped' },
      ],
    },
    {
      at: Date.UTC(2027, 9, 31, 1),
      timezone: 'Europe/Tallinn',
      changeMs: -hourMs,
      effects: [
        { ...night, wall: '2027-10-31T03:30:00', note: 'first-of-two' },
        { ...skipping, wall: '2027-10-31T03:30:00', note: 'first-of-two' },
      ],
    },
  ]);
});

t.test('a rule that cannot be read is reported, and the others are simulated', async (t) => {
  const bench = await openBench(t);
  bench.add('broken', () => undefined, everyMinute);
  bench.add('whole', () => undefined, everyMinute);
  await bench.tasks.setup();
  await bench.store.db.updateTable('job_rules').set({ timezone: 'Mars/X' }).where('id', '=', 1).execute();
  const report = await simulatedHour(bench);
  t.match(report.broken, [{ rule: 1, name: 'broken', error: /Mars\/X/ }]);
  t.match(report.rules, [{ rule: 2, runs: 60, durationMs: 1000 }]);
});

t.test('cancelled rules are not simulated', async (t) => {
  const bench = await openBench(t);
  bench.add('whole', () => undefined, everyMinute);
  await bench.tasks.setup();
  await bench.rules.cancel(1);
  const report = await simulatedHour(bench);
  t.match(report, { rules: [], runs: 0, idleMs: hourMs });
});

t.test(
  'the report says what it omits, and names rules with failed runs; other runs give the durations',
  async (t) => {
    const bench = await openBench(t);
    for (const name of ['fails', 'fine']) bench.add(name, () => undefined, everyMinute);
    await bench.tasks.setup();
    for (const [status, seconds] of [
      ['done', 5],
      ['done', 5],
      ['failed', 30],
      ['timeout', 60],
      ['lost', 90],
    ] as const)
      await addRun(bench, 1, seconds * 1000, status);
    await addRun(bench, 2, 2000);
    await addRun(bench, 2, 2000, 'cancelled');
    const report = await simulatedHour(bench);
    t.match(report.rules, [{ durationMs: 5000 }, { durationMs: 2000 }]);
    t.strictSame(report.failures, [{ rule: 1, name: 'fails', failed: 3, of: 5 }]);
    const lines = simulationLines(report, 'UTC').slice(-2);
    t.match(lines, [
      /^not simulated +failures and .*; requests; outages$/,
      /^ +#1 fails: 3 of its last 5 runs failed$/,
    ]);
  },
);

/** Simulates the rules of a site for an hour, with one slot. */
async function simulatedHour({ store, rules }: Bench): Promise<SimulationReport> {
  return await simulateSite({
    db: store.db,
    rules: await rules.list(),
    from: new Date(noon),
    to: new Date(noon + hourMs),
    slots: 1,
    timezone: 'UTC',
    defaultDurationMs: 1000,
  });
}
