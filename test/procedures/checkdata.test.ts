import t from 'tap';
import { checkdata } from '../../procedures/checkdata.js';
import { registerChecker } from '../../procedures/index.js';
import { anyTables } from '../../procedures/store/open.js';
import { openProcedureBench, type ProcedureBench } from '../support/request.js';

interface Order {
  readonly id: number;
  readonly state: string;
}

/** Creates a table of valid orders, numbered from 1. */
async function addOrders({ store }: ProcedureBench, count: number): Promise<void> {
  await store.db.schema
    .createTable('orders')
    .addColumn('id', 'integer', (c) => c.primaryKey())
    .addColumn('state', 'text')
    .execute();
  await store.db.transaction().execute(async (tx) => {
    for (let id = 1; id <= count; id++) {
      await anyTables(tx).insertInto('orders').values({ id, state: 'good' }).execute();
    }
  });
}

async function setState({ store }: ProcedureBench, id: number, state: string): Promise<void> {
  await anyTables(store.db).updateTable('orders').set({ state }).where('id', '=', id).execute();
}

/** Open problems as `owner: message`. */
async function problems({ db }: ProcedureBench): Promise<string[]> {
  const rows = await db
    .selectFrom('data_problems')
    .selectAll()
    .where('closed_at', 'is', null)
    .orderBy('checker')
    .orderBy('owner')
    .execute();
  return rows.map((row) => neutral(`${row.owner}: ${row.message}`));
}

/** Each database has its own message. */
function neutral(text: string): string {
  return text.replace(
    /SqliteError: no such table: missing|error: relation "missing" does not exist/,
    'no such table',
  );
}

const checkState = (order: Order) => (order.state === 'good' ? [] : [`is ${order.state}`]);

t.test('problems are stored once with their first date, and closed when they are solved', async (t) => {
  const bench = await openProcedureBench(t);
  await addOrders(bench, 4);
  t.teardown(registerChecker({ name: 'states', table: 'orders', check: checkState }));
  await setState(bench, 2, 'bad');
  await setState(bench, 3, 'odd');
  const begin = bench.clock.now();
  const first = await bench.run(checkdata);
  t.same(await problems(bench), ['orders 2: is bad', 'orders 3: is odd']);
  t.same(first.lines, ['INFO states: 4 rows checked, 2 problems (2 of them new), 0 closed, 0 fixed']);

  bench.clock.advance(1000);
  await setState(bench, 3, 'good');
  const second = await bench.run(checkdata);
  t.same(await problems(bench), ['orders 2: is bad']);
  t.same(second.lines, ['INFO states: 4 rows checked, 1 problem (0 of them new), 1 closed, 0 fixed']);

  bench.clock.advance(1000);
  await setState(bench, 3, 'odd');
  await bench.run(checkdata);
  const rows = await bench.db.selectFrom('data_problems').selectAll().orderBy('owner').execute();
  t.match(rows, [
    { checker: 'states', owner: 'orders 2', since: begin, fixable: 0, closed_at: null },
    { checker: 'states', owner: 'orders 3', since: begin + 2000, fixable: 0, closed_at: null },
  ]);
  t.equal(rows.length, 2);
});

t.test('the problems of a deleted row are closed', async (t) => {
  const bench = await openProcedureBench(t);
  await addOrders(bench, 2);
  t.teardown(registerChecker({ name: 'states', table: 'orders', check: checkState }));
  await setState(bench, 2, 'bad');
  await bench.run(checkdata);
  await anyTables(bench.store.db).deleteFrom('orders').where('id', '=', 2).execute();
  await bench.run(checkdata);
  t.same(await problems(bench), []);
});

t.test('a checker that throws is itself a problem, and the others continue', async (t) => {
  const bench = await openProcedureBench(t);
  await addOrders(bench, 3);
  t.teardown(
    registerChecker({
      name: 'a_throws',
      table: 'orders',
      check: (order: Order) => {
        if (order.id === 2) throw new RangeError('too odd\nfor words');
        return checkState(order);
      },
    }),
  );
  t.teardown(registerChecker({ name: 'b_no_table', table: 'missing', check: () => [] }));
  t.teardown(
    registerChecker({
      name: 'c_no_rows',
      rows: () => {
        throw new Error('no rows today');
      },
      owner: String,
      check: () => [],
    }),
  );
  t.teardown(
    registerChecker({ name: 'd_nonsense', table: 'orders', check: (() => 'bad') as unknown as () => [] }),
  );
  t.teardown(registerChecker({ name: 'e_good', table: 'orders', check: checkState }));
  await setState(bench, 3, 'bad');
  const { lines } = await bench.run(checkdata);
  t.same(await problems(bench), [
    'orders 2: could not be checked: RangeError: too odd',
    'orders 3: is bad',
    'checker b_no_table: its rows could not be read: no such table',
    'checker c_no_rows: its rows could not be read: Error: no rows today',
    ...[1, 2, 3].map(
      (id) => `orders ${id}: could not be checked: TypeError: expected a list of problems, got: bad`,
    ),
    'orders 3: is bad',
  ]);
  t.same(lines.filter((line) => line.startsWith('WARNING')).map(neutral), [
    'WARNING a_throws: orders 2 could not be checked',
    'WARNING b_no_table: its rows could not be read: no such table',
    'WARNING c_no_rows: its rows could not be read: Error: no rows today',
    'WARNING d_nonsense: orders 1 could not be checked',
  ]);
});

t.test('the known problems of a row stay open while it cannot be checked', async (t) => {
  const bench = await openProcedureBench(t);
  await addOrders(bench, 1);
  await setState(bench, 1, 'bad');
  const unregister = registerChecker({ name: 'states', table: 'orders', check: checkState });
  await bench.run(checkdata);
  unregister();
  const fail = () => {
    throw new Error('no');
  };
  t.teardown(registerChecker({ name: 'states', table: 'orders', check: fail }));
  await bench.run(checkdata);
  t.same(await problems(bench), ['orders 1: is bad', 'orders 1: could not be checked: Error: no']);
});

t.test('a checker that always fails is given up for the run, and the next run continues', async (t) => {
  const bench = await openProcedureBench(t);
  await addOrders(bench, 250);
  const seen: number[] = [];
  t.teardown(
    registerChecker({
      name: 'broken',
      table: 'orders',
      check: ({ id }: Order) => {
        seen.push(id);
        if (id <= 100) throw new Error('no');
        return [];
      },
    }),
  );
  await bench.run(checkdata);
  t.same([seen.length, seen.at(-1)], [100, 100]);
  t.ok((await problems(bench)).includes('checker broken: given up for now: 100 rows could not be checked'));
  await bench.run(checkdata);
  t.same([seen.length, seen[100]], [250, 101]);
  t.notOk(
    (await problems(bench)).some((text) => text.startsWith('checker broken')),
    'the pass has ended',
  );
});

t.test('a large table is read in batches, with progress', async (t) => {
  const bench = await openProcedureBench(t);
  await addOrders(bench, 1050);
  let checked = 0;
  const check = () => {
    checked++;
    return [];
  };
  t.teardown(registerChecker({ name: 'all', table: 'orders', check, batchSize: 500 }));
  const { progresses } = await bench.run(checkdata);
  t.equal(checked, 1050);
  t.same(progresses, [
    [500, 1050, 'all'],
    [1000, 1050, 'all'],
    [1050, 1050, 'all'],
  ]);
});

t.test('an interrupted run closes nothing, and the next one continues there', async (t) => {
  const bench = await openProcedureBench(t);
  await addOrders(bench, 10);
  await setState(bench, 9, 'bad');
  const seen: number[] = [];
  let abortAt = 0;
  let abort = () => {};
  t.teardown(
    registerChecker({
      name: 'states',
      table: 'orders',
      batchSize: 3,
      check: async (order: Order) => {
        seen.push(order.id);
        if (order.id === abortAt) abort();
        return checkState(order);
      },
    }),
  );
  await bench.run(checkdata);
  t.same(await problems(bench), ['orders 9: is bad']);
  seen.length = 0;
  abortAt = 5;
  const ended = await bench.run(checkdata, (ar) => {
    abort = () => ar.abort();
  });
  t.same(seen, [1, 2, 3, 4, 5]);
  t.same(await problems(bench), ['orders 9: is bad'], 'an unchecked row keeps its problem');
  t.same(ended.lines, [
    'INFO states: 5 rows checked, 0 problems (0 of them new), 0 closed, 0 fixed; the run was ended; the next one continues here',
  ]);
  seen.length = 0;
  await setState(bench, 9, 'good');
  const next = await bench.run(checkdata);
  t.same(seen, [6, 7, 8, 9, 10]);
  t.equal(next.lines[0], 'INFO states: continues after 5 rows');
  t.same(await problems(bench), []);
  seen.length = 0;
  await bench.run(checkdata);
  t.equal(seen.length, 10, 'the next pass begins at the first row');
});

t.test('rows may come from any source, which is closed when the run ends', async (t) => {
  const bench = await openProcedureBench(t);
  let returned = false;
  async function* rows() {
    try {
      for (let i = 0; ; i++) yield { name: `file-${i}` };
    } finally {
      returned = true;
    }
  }
  let abort = () => {};
  t.teardown(
    registerChecker({
      name: 'files',
      rows,
      owner: (file) => file.name,
      check: (file) => {
        if (file.name === 'file-700') abort();
        return file.name === 'file-3' ? [{ message: 'is empty', fixable: false }] : undefined;
      },
    }),
  );
  await bench.run(checkdata, (ar) => {
    abort = () => ar.abort();
  });
  t.equal(returned, true);
  t.same(await problems(bench), ['file-3: is empty']);
});

t.test('rows that end early because the run ends do not count as all rows', async (t) => {
  const bench = await openProcedureBench(t);
  let endEarly: (() => void) | undefined;
  async function* rows() {
    for (let i = 0; i < 500; i++) yield i;
    endEarly?.();
    if (endEarly === undefined) yield 500;
  }
  const check = (row: number) => (row === 500 ? ['is the last'] : []);
  t.teardown(registerChecker({ name: 'numbers', rows, owner: String, check }));
  await bench.run(checkdata);
  await bench.run(checkdata, (ar) => {
    endEarly = () => ar.abort();
  });
  t.same(await problems(bench), ['500: is the last']);
});

t.test('fixable problems are fixed; a fix that fails leaves the problem', async (t) => {
  const bench = await openProcedureBench(t);
  await addOrders(bench, 3);
  await setState(bench, 1, 'bad');
  await setState(bench, 2, 'stuck');
  t.teardown(
    registerChecker<Order>({
      name: 'states',
      table: 'orders',
      check: (order) => checkState(order).map((message) => ({ message, fixable: true })),
      fix: async (order, _problem, ar) => {
        if (order.state === 'stuck') throw new Error('it sits tight');
        await anyTables(ar.db)
          .updateTable('orders')
          .set({ state: 'good' })
          .where('id', '=', order.id)
          .execute();
      },
    }),
  );
  const { lines } = await bench.run(checkdata);
  t.same(await problems(bench), ['orders 2: is stuck']);
  t.same(lines, [
    'INFO orders 1: fixed: is bad',
    'WARNING orders 2: could not be fixed: is stuck: Error: it sits tight',
    'INFO states: 3 rows checked, 1 problem (1 of them new), 0 closed, 1 fixed',
  ]);
  const [row] = await bench.db.selectFrom('data_problems').select('fixable').execute();
  t.equal(row?.fixable, 1);
});

t.test('the problems of a removed checker are closed, and deleted some months later', async (t) => {
  const bench = await openProcedureBench(t);
  await addOrders(bench, 1);
  await setState(bench, 1, 'bad');
  const unregister = registerChecker({ name: 'states', table: 'orders', check: checkState });
  await bench.run(checkdata);
  unregister();
  await bench.run(checkdata);
  t.same(await problems(bench), []);
  t.equal((await bench.db.selectFrom('data_problems').selectAll().execute()).length, 1);
  bench.clock.advance(91 * 86_400_000);
  await bench.run(checkdata);
  t.same(await bench.db.selectFrom('data_problems').selectAll().execute(), []);
});

t.test('the rows of a query are checked in batches by their key', async (t) => {
  const bench = await openProcedureBench(t);
  await addOrders(bench, 7);
  await setState(bench, 6, 'bad');
  await setState(bench, 7, 'bad');
  t.teardown(
    registerChecker({
      name: 'states_of_odd_orders',
      query: (db) =>
        db.withTables<{ orders: Order }>().selectFrom('orders').select(['id', 'state']).where('id', '!=', 6),
      batchSize: 2,
      check: checkState,
    }),
  );
  const { lines } = await bench.run(checkdata);
  t.same(await problems(bench), ['states_of_odd_orders 7: is bad']);
  t.match(lines[0], 'states_of_odd_orders: 6 rows checked');
});

t.test('an invalid result of a checker is a clear problem of the row', async (t) => {
  const bench = await openProcedureBench(t);
  await addOrders(bench, 6);
  const nonsense: Record<number, unknown> = {
    1: [{ fixable: true }],
    2: [''],
    3: Array.from({ length: 100_000 }, (_, i) => `fault ${i}`),
    4: ['x'.repeat(1_000_000), 'zero \0 byte'],
    5: { message: 'not in a list' },
  };
  t.teardown(
    registerChecker({
      name: 'nonsense',
      table: 'orders',
      check: (({ id }: Order) => nonsense[id]) as () => undefined,
      owner: ({ id }) => {
        if (id === 5) throw new Error('nobody knows');
        return id === 4 ? 'o'.repeat(1000) : `order ${id}`;
      },
    }),
  );
  await bench.run(checkdata);
  const found = await problems(bench);
  t.equal(found.length, 2 + 101 + 2 + 1);
  const text = 'could not be checked: TypeError: expected a text or a problem with a message, got:';
  t.ok(found.includes(`order 1: ${text} an Object`), 'a problem without a message');
  t.ok(found.includes(`order 2: ${text} `), 'an empty message');
  t.ok(found.includes('order 3: has more than 100 problems; the first 100 are kept'));
  t.ok(found.includes(`${'o'.repeat(199)}…: ${'x'.repeat(499)}…`), 'what is too long is cut');
  t.ok(found.includes(`${'o'.repeat(199)}…: zero \ufffd byte`), 'what a database cannot hold is replaced');
  t.ok(
    found.includes(
      'a row of orders: could not be checked: TypeError: expected a list of problems, got: an Object',
    ),
  );
});

t.test('a new run takes over the pass of a running one', async (t) => {
  const bench = await openProcedureBench(t);
  await addOrders(bench, 4);
  await setState(bench, 4, 'bad');
  let other: (() => Promise<unknown>) | undefined = () => bench.run(checkdata);
  t.teardown(
    registerChecker<Order>({
      name: 'states',
      table: 'orders',
      batchSize: 2,
      check: async (order) => {
        const begin = order.id === 3 ? other : undefined;
        if (begin !== undefined) {
          other = undefined;
          await begin();
        }
        return checkState(order);
      },
    }),
  );
  const { lines } = await bench.run(checkdata);
  t.match(lines, [/^INFO states: 4 rows checked, .* another run continues$/]);
  t.same(await problems(bench), ['orders 4: is bad']);
  const [pass] = await bench.db.selectFrom('checker_passes').selectAll().execute();
  t.match(pass, { position: null, ended_at: Number }, 'the other came to its end');
});

t.test('an invalid argument is refused', async (t) => {
  const bench = await openProcedureBench(t);
  for (const [args, message] of [
    ['a', /^the arguments of the run: expected an object, got: "a"/],
    [{ checker: 'a' }, 'the arguments of the run: there is no key "checker", did you mean "checkers"?'],
    [{ checkers: ['a'] }, 'there is no checker "a"; there are none'],
    [{ checkers: 'a' }, 'the arguments of the run: expected checkers to be a list, got: "a"'],
    [{ fix: 1 }, 'the arguments of the run: expected fix to be true or false, got: 1'],
  ] as const) {
    await t.rejects(bench.run({ run: (ar) => checkdata.run({ ...ar, args }) }), {
      code: 'LINOD_ERR_USAGE',
      message,
    });
  }
});

t.test('an invalid checker is refused with its name', async (t) => {
  const check = () => [];
  for (const [checker, message] of [
    [
      { name: 'a b', table: 'x', check },
      'checker "a b": expected name to be a name of letters, digits, "_", "-" or ".", got: "a b"',
    ],
    [{ name: 'a', table: 'x' }, 'checker "a": check is missing'],
    [{ name: 'a', check }, 'checker "a": expected one of a table, a function query and a function rows'],
    [{ name: 'a', rows: () => [], check }, 'checker "a": expected a function owner with rows'],
    [
      { name: 'a', table: 'x', check, batchSize: 0 },
      'checker "a": expected batchSize to be at least 1, got: 0',
    ],
  ] as const) {
    const wrong = checker as unknown as Parameters<typeof registerChecker>[0];
    t.throws(() => registerChecker(wrong), { code: 'LINOD_ERR_INVALID_REGISTRATION', message });
  }
});
