import t from 'tap';
import { checksummaries } from '../../procedures/checksummaries.js';
import { markSummaryDirty, registerSummary } from '../../procedures/index.js';
import { openProcedureBench, type ProcedureBench } from '../support/request.js';

async function marks({ db }: ProcedureBench): Promise<string[]> {
  const rows = await db
    .selectFrom('dirty_summaries')
    .select(['key', 'failures'])
    .orderBy('failures')
    .orderBy('id')
    .execute();
  return rows.map((row) => (row.failures === 0 ? row.key : `${row.key} failed ${row.failures}`));
}

t.test('marked keys are computed and stored once, in the order of the marks', async (t) => {
  const bench = await openProcedureBench(t);
  const stored: Array<[string, number]> = [];
  t.teardown(
    registerSummary({
      name: 'totals',
      compute: async (key) => key.length,
      store: (key, length) => {
        stored.push([key, length]);
      },
    }),
  );
  await markSummaryDirty(bench.db, 'totals', ['bob', 'ann-marie']);
  await markSummaryDirty(bench.db, 'totals', 'bob');
  const { lines, progresses } = await bench.run(checksummaries);
  t.same(stored, [
    ['bob', 3],
    ['ann-marie', 9],
  ]);
  t.same(lines, ['INFO totals: 2 keys computed']);
  t.same(progresses.at(-1), [2, 2, 'totals']);
  t.same(await marks(bench), []);
  t.same((await bench.run(checksummaries)).lines, ['DEBUG totals: 0 keys computed']);
});

t.test('a failed transaction leaves no mark', async (t) => {
  const bench = await openProcedureBench(t);
  const failing = bench.store.db.transaction().execute(async (tx) => {
    await markSummaryDirty(tx, 'totals', 'ann');
    throw new Error('no');
  });
  await t.rejects(failing, { message: 'no' });
  t.same(await marks(bench), []);
});

t.test('a key that is marked while it is being computed stays for the next run', async (t) => {
  const bench = await openProcedureBench(t);
  let computed = 0;
  t.teardown(
    registerSummary({
      name: 'totals',
      compute: async (key, ar) => {
        if (++computed === 1) await markSummaryDirty(ar.db, 'totals', key);
      },
      store: () => undefined,
    }),
  );
  await markSummaryDirty(bench.db, 'totals', 'ann');
  await bench.run(checksummaries);
  t.same(await marks(bench), ['ann']);
  await bench.run(checksummaries);
  t.same(await marks(bench), []);
  t.equal(computed, 2);
});

t.test('a failed key stays marked, after the others, and its writes are rolled back', async (t) => {
  const bench = await openProcedureBench(t);
  await bench.store.db.schema.createTable('totals').addColumn('customer', 'text').execute();
  type Totals = { totals: { customer: string } };
  const seen: string[] = [];
  t.teardown(
    registerSummary({
      name: 'totals',
      compute: (key) => {
        seen.push(key);
        if (key === 'bad') throw new Error('no data');
        return key;
      },
      store: async (key, _value, tx) => {
        await tx.withTables<Totals>().insertInto('totals').values({ customer: key }).execute();
        if (key === 'worse') throw new Error('cannot be stored');
      },
    }),
  );
  await markSummaryDirty(bench.db, 'totals', ['bad', 'worse', 'good']);
  const { lines } = await bench.run(checksummaries);
  t.same(seen, ['bad', 'worse', 'good'], 'each once');
  t.same(await marks(bench), ['bad failed 1', 'worse failed 1']);
  t.same(await bench.store.db.withTables<Totals>().selectFrom('totals').selectAll().execute(), [
    { customer: 'good' },
  ]);
  t.same(lines, [
    'WARNING totals: bad could not be computed: Error: no data',
    'DEBUG totals: worse could not be computed: Error: cannot be stored',
    'WARNING totals: 1 key computed, 2 failed and stay marked',
  ]);
  await markSummaryDirty(bench.db, 'totals', 'new');
  await bench.run(checksummaries);
  t.same(seen.slice(3), ['new', 'bad', 'worse']);
});

t.test('keys that always fail do not block the others', async (t) => {
  const bench = await openProcedureBench(t);
  let good = 0;
  t.teardown(
    registerSummary({
      name: 'totals',
      compute: (key) => {
        if (key.startsWith('bad')) throw new Error('no');
        good++;
      },
      store: () => undefined,
    }),
  );
  await markSummaryDirty(
    bench.db,
    'totals',
    Array.from({ length: 150 }, (_, i) => `bad-${i}`),
  );
  await markSummaryDirty(bench.db, 'totals', ['good-1', 'good-2']);
  const first = await bench.run(checksummaries);
  t.equal(
    first.lines.at(-1),
    'WARNING totals: 0 keys computed, 100 failed and stay marked, 52 left for the next run',
  );
  await bench.run(checksummaries);
  t.equal(good, 2);
});

t.test('an interrupted run leaves the rest to the next', async (t) => {
  const bench = await openProcedureBench(t);
  const seen: string[] = [];
  let abort = () => {};
  t.teardown(
    registerSummary({
      name: 'totals',
      nightly: 'all',
      keys: async () => ['a', 'b', 'c', 'd'],
      compute: (key) => {
        seen.push(key);
        if (key === 'b') abort();
      },
      store: () => undefined,
    }),
  );
  const ended = await bench.run(checksummaries, (ar) => {
    abort = () => ar.abort();
  });
  t.same(seen, ['a', 'b']);
  t.same(ended.lines, ['INFO totals: 2 keys computed, 2 left for the next run']);
  abort = () => {};
  await bench.run(checksummaries);
  t.same(seen, ['a', 'b', 'c', 'd', 'a', 'b']);
  t.same(await marks(bench), []);
});

t.test('a summary that cannot list its keys computes the marked ones', async (t) => {
  const bench = await openProcedureBench(t);
  t.teardown(
    registerSummary({
      name: 'totals',
      nightly: 'all',
      keys: () => {
        throw new Error('no keys');
      },
      compute: () => 1,
      store: () => undefined,
    }),
  );
  await markSummaryDirty(bench.db, 'totals', 'ann');
  const { lines } = await bench.run(checksummaries);
  t.same(lines, [
    'WARNING totals: its keys could not be read: Error: no keys',
    'INFO totals: 1 key computed',
  ]);
});

t.test('marks of an unregistered summary cause a warning', async (t) => {
  const bench = await openProcedureBench(t);
  await markSummaryDirty(bench.db, 'totls', ['ann', 'bob']);
  const { lines } = await bench.run(checksummaries);
  t.ok(lines.includes('WARNING 2 keys wait for the unregistered summary "totls"'));
  t.same(await marks(bench), ['ann', 'bob']);
});

t.test('a complete recomputation covers all keys, by a later run if the first is interrupted', async (t) => {
  const bench = await openProcedureBench(t);
  const seen: string[] = [];
  let abort = () => {};
  t.teardown(
    registerSummary({
      name: 'totals',
      async *keys() {
        yield 'a';
        abort();
        if (abort === goOn) yield 'b';
      },
      compute: (key) => {
        seen.push(key);
      },
      store: () => undefined,
    }),
  );
  const goOn = abort;
  await bench.run(checksummaries);
  t.same(seen, [], 'nothing is marked');
  await bench.run({ run: (ar) => checksummaries.run({ ...ar, args: { all: true } }) }, (ar) => {
    abort = () => ar.abort();
  });
  t.same(seen, []);
  t.same(await marks(bench), ['a']);
  abort = goOn;
  await bench.run(checksummaries);
  t.same(seen, ['a', 'b']);
  await bench.run(checksummaries);
  t.same(seen, ['a', 'b']);
});

t.test('dependencies are computed first, and their changes mark keys', async (t) => {
  const bench = await openProcedureBench(t);
  const seen: string[] = [];
  const add = (summary: Pick<Parameters<typeof registerSummary>[0], 'name' | 'depends'>) =>
    t.teardown(
      registerSummary({
        ...summary,
        compute: (key) => {
          seen.push(`${summary.name} ${key}`);
        },
        store: () => undefined,
      }),
    );
  add({ name: 'years', depends: [{ summary: 'months', keys: (month) => [month.slice(0, 4)] }] });
  add({ name: 'months', depends: [{ summary: 'days', keys: (day) => [day.slice(0, 7)] }] });
  add({ name: 'days' });
  add({ name: 'charts', depends: [{ summary: 'days' }] });
  await markSummaryDirty(bench.db, 'days', ['2026-11-24', '2026-11-25']);
  await bench.run(checksummaries);
  t.same(seen, [
    ...['days 2026-11-24', 'days 2026-11-25', 'months 2026-11', 'years 2026'],
    ...['charts 2026-11-24', 'charts 2026-11-25'],
  ]);
  t.same(await marks(bench), []);
  t.throws(
    () =>
      registerSummary({
        name: 'days',
        depends: [{ summary: 'years' }],
        compute: () => 1,
        store: () => undefined,
      }),
    {
      code: 'LINOD_ERR_INVALID_REGISTRATION',
      message: 'summary "days": it would be computed from itself: days → years → months → days',
    },
  );
});

t.test('an invalid argument is refused', async (t) => {
  const bench = await openProcedureBench(t);
  t.teardown(registerSummary({ name: 'totals', compute: () => 1, store: () => undefined }));
  for (const [args, message] of [
    [{ whole: true }, 'the arguments of the run: there is no key "whole"; there are summaries, all'],
    [{ summaries: ['total'] }, 'there is no summary "total"; there are totals'],
    [
      { summaries: ['totals'], all: true },
      'summary "totals" cannot be recomputed completely: it has no function keys',
    ],
  ] as const) {
    const run = bench.run({ run: (ar) => checksummaries.run({ ...ar, args }) });
    await t.rejects(run, { code: 'LINOD_ERR_USAGE', message });
  }
});

t.test('an invalid summary is refused with its name', async (t) => {
  const wrong = { name: 'a', compute: () => 1 } as unknown as Parameters<typeof registerSummary>[0];
  t.throws(() => registerSummary(wrong), {
    code: 'LINOD_ERR_INVALID_REGISTRATION',
    message: 'summary "a": store is missing',
  });
  const known = { name: 'a', compute: () => 1, store: () => undefined };
  for (const [more, message] of [
    [
      { nightly: 'al' as 'all' },
      'summary "a": expected nightly to be one of dirty, all, got: "al", did you mean "all"?',
    ],
    [{ nightly: 'all' }, 'summary "a": expected a function keys with nightly: \'all\''],
    [{ depends: ['b'] as never }, 'summary "a": expected depends[0] to be an object, got: "b"'],
  ] as const) {
    t.throws(() => registerSummary({ ...known, ...more }), {
      code: 'LINOD_ERR_INVALID_REGISTRATION',
      message,
    });
  }
});
