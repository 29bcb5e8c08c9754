import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { systemClock } from '../../../../src/base/clock.js';
import { Logger } from '../../../../src/log/logger.js';
import { DatabaseClock } from '../../../../src/membership/database-clock.js';
import type { WatchedTable } from '../../../../src/store/backend.js';
import { ownMigrations } from '../../../../src/store/migrations/index.js';
import { parseTarget } from '../../../../src/store/postgres/target.js';
import { openStore } from '../../../../src/store/store.js';
import { transact } from '../../../../src/store/transact.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { PostgresServer } from '../../../support/postgres.js';
import { eventually } from '../../../support/programs.js';
import { openBench } from '../../../support/site.js';

const server = await PostgresServer.start(t);
const everySecond = { every: 1, everyUnit: 'secondly' } as const;

t.test('a URL means the same as for psql', async (t) => {
  const name = (url: string, environment = {}) => parseTarget(url, environment).name;
  t.equal(name('postgres://ann:x%40y@db.example.org:6000/shop'), 'shop at db.example.org:6000 as ann');
  t.equal(name('postgresql://ann@db.example.org/shop'), 'shop at db.example.org:5432 as ann');
  t.equal(
    name('postgres:///shop?host=/run/postgresql', { PGUSER: 'bob' }),
    'shop at socket /run/postgresql/.s.PGSQL.5432 as bob',
  );
  t.equal(name('postgres://', { PGHOST: 'h', PGPORT: '1', PGUSER: 'u', PGDATABASE: 'd' }), 'd at h:1 as u');
  t.equal(parseTarget('postgres://ann:x%40y@h/shop').config.password, 'x@y');
  t.same(parseTarget('postgres://ann@h/shop?sslmode=require').config.ssl, { rejectUnauthorized: false });
  t.same(parseTarget('postgres://ann@h/shop?sslmode=verify-full').config.ssl, {});
  t.equal(parseTarget('postgres://ann@h/shop?sslmode=disable').config.ssl, false);
  t.throws(() => parseTarget('postgres://ann@h:port/shop'), { code: 'LINOD_ERR_BAD_CONFIG' });
});

t.test('the error of a failed connection has the address and advice, but no password', async (t) => {
  const url = await server.createDatabase();
  const place = `at 127.0.0.1:${server.port} as`;
  const refused = async (wrong: string, message: string, passes = false): Promise<void> => {
    await t.rejects(openStore({ url: wrong }), { code: 'LINOD_ERR_STORE_UNAVAILABLE', message, passes });
  };
  await refused(
    url.replace('not-to-be-shown', 'guessed'),
    `cannot open the database test1 ${place} linod: password authentication failed for user "linod"; the password comes from databaseUrl, PGPASSWORD or ~/.pgpass`,
  );
  await refused(
    server.url('nowhere'),
    `cannot open the database nowhere ${place} linod: database "nowhere" does not exist; create it: createdb --owner linod nowhere`,
  );
  await server.run("create role poor login password 'poor'");
  await refused(
    server.url('test1', 'poor:poor'),
    `cannot use the database test1 ${place} poor: permission denied for schema public; user poor must be able to create tables there: GRANT CREATE ON SCHEMA public TO "poor"`,
  );
  await refused(
    `${url}?sslmode=require`,
    `cannot open the database test1 ${place} linod: The server does not support SSL connections`,
  );
  await refused(
    `postgres:///test1?host=${server.directory}/none&user=linod`,
    `cannot open the database test1 at socket ${server.directory}/none/.s.PGSQL.5432 as linod: connect ENOENT ${server.directory}/none/.s.PGSQL.5432; start the server, or correct its address`,
    true,
  );
  const socket = `postgres:///test1?host=${server.directory}&port=${server.port}&user=linod`;
  await (await openStore({ url: socket })).close();
});

t.test('sslmode decides about encryption, and about verification of the server', async (t) => {
  const server = await PostgresServer.start(t);
  const certificate = server.prepareTls();
  await server.stop();
  await server.start();
  const url = await server.createDatabase();
  const isEncrypted = async (parameters: string, host = '127.0.0.1'): Promise<unknown> => {
    const store = await openStore({ url: url.replace('127.0.0.1', host) + parameters });
    try {
      const asked = sql<{ ssl: boolean }>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`;
      return (await asked.execute(store.db)).rows[0]?.ssl;
    } finally {
      await store.close();
    }
  };
  t.equal(await isEncrypted(''), false);
  t.equal(await isEncrypted('?sslmode=disable'), false);
  t.equal(await isEncrypted('?sslmode=require'), true);
  t.equal(await isEncrypted(`?sslmode=verify-ca&sslrootcert=${certificate}`), true);
  t.equal(await isEncrypted(`?sslmode=verify-full&sslrootcert=${certificate}`, 'localhost'), true);
  const unverified = { code: 'LINOD_ERR_STORE_UNAVAILABLE', message: /^cannot open .*certificate/ };
  await t.rejects(isEncrypted('?sslmode=verify-full'), unverified);
  await t.rejects(isEncrypted(`?sslmode=verify-full&sslrootcert=${certificate}`), {
    code: 'LINOD_ERR_STORE_UNAVAILABLE',
    message: /^cannot open .*altnames/,
  });
});

t.test('two transactions that deadlock both succeed', async (t) => {
  const store = await openStore({ url: await server.createSchema(), migrations: [ownMigrations] });
  t.teardown(() => store.close());
  const { db } = store;
  for (const name of ['a', 'b']) {
    await db.insertInto('leases').values({ name, worker_id: 'w', fence: 0, until: 0 }).execute();
  }
  const count = async (name: string, on = db) =>
    await on
      .updateTable('leases')
      .set((eb) => ({ fence: eb('fence', '+', 1) }))
      .where('name', '=', name)
      .execute();
  let entered = 0;
  const both = async (first: string, second: string): Promise<void> => {
    let isFirstTry = true;
    await transact(db, async (tx) => {
      await count(first, tx);
      entered++;
      // Each holds one row and waits for the other.
      if (isFirstTry) await eventually('both hold one', () => entered >= 2);
      isFirstTry = false;
      await count(second, tx);
    });
  };
  await Promise.all([both('a', 'b'), both('b', 'a')]);
  t.ok(entered >= 3, 'one of them was retried');
  t.same(await db.selectFrom('leases').select(['name', 'fence']).orderBy('name').execute(), [
    { name: 'a', fence: 2 },
    { name: 'b', fence: 2 },
  ]);
});

t.test('a claim whose confirmation was lost is run once', async (t) => {
  const proxy = await cutter(t);
  const url = (await server.createSchema()).replace(String(server.port), String(proxy.port));
  const store = await openStore({ url, migrations: [ownMigrations] });
  t.teardown(() => store.close());
  const bench = await openBench(t, { store });
  await bench.join();
  let runs = 0;
  bench.add('ants', () => runs++, everySecond);
  await bench.tasks.setup();
  proxy.arm();
  bench.clock.advance(1000);
  await t.rejects(bench.tasks.run(), { code: 'LINOD_ERR_STORE_UNAVAILABLE', message: /^lost the database / });
  t.match(await bench.jobs.list(), [{ status: 'running' }], 'it was written');
  t.equal(runs, 0);
  await bench.tasks.run();
  await bench.tasks.settled();
  await bench.tasks.run();
  await bench.tasks.settled();
  t.equal(runs, 1);
  t.match(await bench.jobs.list(), [{ status: 'done' }]);
});

/** A proxy that cuts the connection before the server confirms the next `commit`. */
async function cutter(t: Test): Promise<{ readonly port: number; arm(): void }> {
  let isArmed = false;
  const proxy = createServer((client) => {
    const upstream = connect(server.port, '127.0.0.1');
    let isCommitting = false;
    client.on('data', (data) => {
      isCommitting = isArmed && data.includes('commit');
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (!isCommitting) {
        client.write(data);
        return;
      }
      isArmed = false;
      client.destroy();
      upstream.destroy();
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => undefined);
      one.on('close', () => other.destroy());
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.teardown(() => proxy.close());
  const arm = () => {
    isArmed = true;
  };
  return { port: (proxy.address() as AddressInfo).port, arm };
}

t.test('closing a pool ends its running statements', async (t) => {
  const store = await openStore({ url: await server.createSchema(), migrations: [ownMigrations] });
  const own = store.connect();
  const sleeping = t.rejects(sql`select pg_sleep(1000)`.execute(own), {
    code: 'LINOD_ERR_STORE_UNAVAILABLE',
  });
  await eventually('it sleeps', async () => {
    const found = await sql`select from pg_stat_activity where query = 'select pg_sleep(1000)'`.execute(
      store.db,
    );
    return found.rows.length > 0;
  });
  await own.destroy();
  await sleeping;
  await store.close();
  await store.close();
});

t.test('the database notifies of requests, orders and earlier due times, but not of each run', async (t) => {
  const store = await openStore({ url: await server.createDatabase(), migrations: [ownMigrations] });
  t.teardown(() => store.close());
  const bench = await openBench(t, { store });
  bench.add('ants', () => undefined, everySecond);
  await bench.tasks.setup();
  const changes: WatchedTable[] = [];
  const troubles: unknown[] = [];
  if (store.follow === null) throw new Error('it can notify');
  const following = store.follow({
    clock: systemClock,
    onChange: (topic) => changes.push(topic),
    onTrouble: (error) => troubles.push(error),
  });
  t.teardown(() => following.close());
  await following.listening;
  t.same(
    changes.splice(0),
    ['job_requests', 'job_rules', 'rule_changes', 'start_orders'],
    'each table may have changed at first',
  );

  bench.clock.advance(1000);
  await bench.tasks.run();
  await bench.tasks.settled();
  await bench.requests.add(1, 'run', 'ann');
  await eventually('the request is notified', () => changes.length > 0);
  t.same(changes.splice(0), ['job_requests'], 'the run before caused no notification');
  await bench.rules.cancel(1);
  await bench.rules.resume(1);
  await eventually('the due time is notified', () => changes.includes('job_rules'));
  t.same(changes.splice(0), ['rule_changes', 'rule_changes', 'job_rules']);
  const order = { name: 'log.server', ordered_at: 0, ordered_by: 'ann' };
  await t.rejects(
    transact(store.db, async (tx) => {
      await tx.insertInto('start_orders').values(order).execute();
      throw new Error('no');
    }),
  );
  await store.db.insertInto('start_orders').values(order).execute();
  await eventually('the order is notified', () => changes.length > 0);
  t.same(changes.splice(0), ['start_orders'], 'once: an uncommitted change causes no notification');

  await server.stop();
  await eventually('the loss is told', () => troubles.length === 1);
  t.match(troubles, [{ code: 'LINOD_ERR_STORE_UNAVAILABLE' }]);
  await server.start();
  await eventually('it listens again', () => troubles.length === 2);
  t.equal(troubles[1], undefined);
  t.same(
    changes.splice(0),
    ['job_requests', 'job_rules', 'rule_changes', 'start_orders'],
    'each table may have changed during the break',
  );
  await bench.requests.add(1, 'run', 'ann');
  await eventually('it listens again', () => changes.length > 0);
  await following.close();
  await following.close();
});

t.test("a clock that differs from the database's is reported once, and corrected", async (t) => {
  const store = await openStore({ url: await server.createSchema(), migrations: [ownMigrations] });
  t.teardown(() => store.close());
  const records: string[] = [];
  const sink = {
    write: (level: string, _name: string, message: string) => records.push(`${level} ${message}`),
  };
  const logger = new Logger({ sink, name: 'linod', level: 'INFO' });
  const clock = new ManualClock(1_000_000);
  let theirs = 1_000_000;
  const database = new DatabaseClock(async () => theirs, clock, logger);
  const steps: Array<[ms: number, skewMs: number]> = [
    [500, 500],
    [2500, 2500],
    [3000, 3000],
    [0, 0],
    [-4000, -4000],
    // A difference within the measurement error is ignored.
    [-3900, -4000],
  ];
  for (const [ms, skewMs] of steps) {
    theirs = clock.now() - ms;
    await database.measure();
    t.equal(database.skewMs, skewMs);
    t.equal(database.now(), clock.now() - skewMs);
  }
  t.same(records, [
    "WARNING this machine's clock is 2.5 s ahead of the database's, which decides when rules are due; procedures that do not call ar.now() see a different time; set the clock, for example with NTP",
    "INFO this machine's clock agrees with the database's again",
    "WARNING this machine's clock is 4 s behind the database's, which decides when rules are due; procedures that do not call ar.now() see a different time; set the clock, for example with NTP",
  ]);
  const here = new DatabaseClock(store.time, systemClock, logger);
  await here.measure();
  t.ok(Math.abs(here.skewMs) < 60_000, 'the server runs on this machine');
  const none = new DatabaseClock(null, clock, logger);
  await none.measure();
  t.equal(none.now(), clock.now());
});
