// What a site's database has to do for several workers at once, whatever kind it is.
//
// Each worker here has connections of its own, as processes have: what they do at the same time really meets.

import type { Test } from 'tap';
import { ChoiceList } from '../../src/base/choices.js';
import { Lease, leaseMs } from '../../src/membership/lease.js';
import { StartOrders } from '../../src/membership/start-orders.js';
import { WorkerRegistry } from '../../src/membership/worker-registry.js';
import { Procedure } from '../../src/rules/procedure.js';
import type { Claimed } from '../../src/scheduler/claim.js';
import type { Migration } from '../../src/store/migrate.js';
import { ownMigrations } from '../../src/store/migrations/index.js';
import { openStore, type Store } from '../../src/store/store.js';
import { transact } from '../../src/store/transact.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { type Bench, noon, openBench } from '../support/site.js';
import { quietView as quiet } from '../support/tasks.js';

/** Makes the URL of an empty database for a test. */
export type EmptyDatabase = (t: Test) => Promise<string>;

const workers = 5;
const nothing = () => undefined;

/** Declares the contract's claims as tests of `t`. */
export function storeContract(t: Test, emptyDatabase: EmptyDatabase): void {
  const open = async (t: Test, url: string, clock = new ManualClock(noon)): Promise<Store> => {
    const store = await openStore({ url, migrations: [ownMigrations], clock });
    t.teardown(() => store.close());
    return store;
  };

  /** Several workers of one site, each with its own connections, on one clock. */
  const openSite = async (t: Test): Promise<[Bench, ...Bench[]]> => {
    const url = await emptyDatabase(t);
    const clock = new ManualClock(noon);
    const benches: Bench[] = [];
    for (let i = 1; i <= workers; i++) {
      const bench = await openBench(t, { store: await open(t, url, clock), clock, workerId: `w${i}` });
      await bench.join();
      benches.push(bench);
    }
    const [first, ...others] = benches;
    if (first === undefined) throw new Error('unreachable: there are some');
    return [first, ...others];
  };

  t.test('several that open an empty database at once run each migration once', async (t) => {
    const url = await emptyDatabase(t);
    const slow: Migration = {
      name: '0001-notes',
      async up(db) {
        await db.schema
          .createTable('notes')
          .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
          .execute();
        await db.insertInto('notes').defaultValues().execute();
      },
    };
    const migrations = [ownMigrations, { owner: 'app', migrations: [slow] }];
    const stores = await Promise.all(
      Array.from({ length: workers }, () => openStore({ url, migrations, clock: new ManualClock(noon) })),
    );
    for (const store of stores) t.teardown(() => store.close());
    t.same(stores.flatMap((store) => store.migrated).sort(), [
      'app 0001-notes',
      ...ownMigrations.migrations.map(({ name }) => `linod ${name}`),
    ]);
    const { db } = stores[0] as Store;
    t.same(await db.withTables<{ notes: { id: number } }>().selectFrom('notes').selectAll().execute(), [
      { id: 1 },
    ]);
  });

  t.test('a migration that fails leaves nothing behind and can run again', async (t) => {
    const url = await emptyDatabase(t);
    const make = (fails: boolean): Migration => ({
      name: '0001-notes',
      async up(db) {
        await db.schema.createTable('notes').addColumn('id', 'integer').execute();
        if (fails) throw new Error('no');
      },
    });
    const failing = [{ owner: 'app', migrations: [make(true)] }];
    await t.rejects(openStore({ url, migrations: failing }), { message: 'no' });
    const store = await openStore({ url, migrations: [{ owner: 'app', migrations: [make(false)] }] });
    t.same(store.migrated, ['app 0001-notes']);
    await store.close();
    await store.close();
    const older = [{ owner: 'app', migrations: [] }];
    await t.rejects(openStore({ url, migrations: older }), { code: 'LINOD_ERR_NEWER_DATABASE' });
  });

  t.test('numbers, times and texts come back as they were given', async (t) => {
    const { db } = await open(t, await emptyDatabase(t));
    const rule = {
      seqno: 1,
      name: 'ä 🐜',
      procedure: 'p',
      suggestion: '{}',
      created_at: 8_640_000_000_000_000,
    };
    await db
      .insertInto('job_rules')
      .values({ ...rule, timeout_seconds: 0.25 })
      .execute();
    t.match(await db.selectFrom('job_rules').selectAll().execute(), [
      { id: 1, ...rule, timeout_seconds: 0.25, next_due_at: null },
    ]);
    const { count } = await db
      .selectFrom('job_rules')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    t.equal(count, 1);
    t.same(await db.selectFrom('job_rules').selectAll().where('id', 'in', []).execute(), []);
    t.equal((await db.selectFrom('job_rules').selectAll().where('id', 'not in', []).execute()).length, 1);
  });

  t.test('a transaction that fails writes nothing', async (t) => {
    const url = await emptyDatabase(t);
    const { db } = await open(t, url);
    const orders = new StartOrders(db, new ManualClock(noon));
    await t.rejects(
      transact(db, async (tx) => {
        await new StartOrders(tx, new ManualClock(noon)).add('log.server', 'ann');
        throw new Error('no');
      }),
      { message: 'no' },
    );
    t.same(await orders.list(), []);
  });

  t.test('rows can be read as they come', async (t) => {
    const { db } = await open(t, await emptyDatabase(t));
    const row = { procedure: 'p', suggestion: '{}', created_at: 0 };
    await db
      .insertInto('job_rules')
      .values(Array.from({ length: 250 }, (_, i) => ({ ...row, seqno: i, name: `rule ${i}` })))
      .execute();
    const names: string[] = [];
    for await (const { name } of db.selectFrom('job_rules').select('name').orderBy('seqno').stream(100)) {
      names.push(name);
    }
    t.same(
      names,
      Array.from({ length: 250 }, (_, i) => `rule ${i}`),
    );
  });

  t.test('workers that set up at once make one rule a procedure', async (t) => {
    const benches = await openSite(t);
    const procedures = new ChoiceList<Procedure>();
    for (const name of ['ants', 'bees', 'cats']) procedures.add(new Procedure(name, nothing, {}, 'test'));
    const reports = await Promise.all(benches.map(({ rules }) => rules.sync(procedures)));
    t.same(
      reports.flatMap(({ created }) => created),
      ['ants', 'bees', 'cats'],
    );
    await Promise.all(
      benches.map(({ rules }) => rules.create(new Procedure('dogs', nothing, {}, 'test'), 'a dog')),
    );
    const seqnos = (await benches[0].store.db.selectFrom('job_rules').select('seqno').execute()).map(
      ({ seqno }) => seqno,
    );
    t.equal(new Set(seqnos).size, 3 + workers, 'each has a place of its own');
  });

  t.test('of all that claim a due time at once one gets it, and the ledger tells the others', async (t) => {
    const benches = await openSite(t);
    const [{ add, tasks, clock, store }] = benches;
    const everySecond = { every: 1, everyUnit: 'secondly' } as const;
    for (const name of ['ants', 'bees', 'cats']) add(name, nothing, everySecond);
    await tasks.setup();
    const due = 8;
    for (let i = 1; i <= due; i++) {
      clock.advance(1000);
      const at = clock.now();
      const claims = await Promise.all(
        [1, 2, 3].flatMap((id) => benches.map(({ claimer }) => claimer.claimDue([{ id, dueAt: at }], quiet))),
      );
      const claimed = claims.flatMap((claim) => claim.claimed);
      t.same(claimed.map(({ rule }) => rule.id).sort(), [1, 2, 3], `due time ${i}`);
      await Promise.all(claimed.map((claim) => finish(benches, claim)));
    }
    const jobs = await store.db.selectFrom('jobs').select(['rule_id', 'due_at', 'status']).execute();
    t.equal(jobs.length, 3 * due);
    t.ok(jobs.every(({ status }) => status === 'done'));
    const decisions = await store.db.selectFrom('decisions').select(['due_at', 'reason']).execute();
    t.equal(decisions.filter(({ reason }) => reason === 'started').length, 3 * due);
    t.equal(decisions.filter(({ reason }) => reason === 'taken').length, 3 * due * (workers - 1));
  });

  t.test('a claim and an edit at once: the rule is due where the later of both says', async (t) => {
    const benches = await openSite(t);
    const [{ add, tasks, clock, rules }, other] = benches;
    if (other === undefined) throw new Error('unreachable: there are several');
    add('ants', nothing, { every: 10, everyUnit: 'secondly' });
    await tasks.setup();
    clock.advance(10_000);
    const [claim, edited] = await Promise.all([
      other.claimer.claimDue([{ id: 1, dueAt: clock.now() }], quiet),
      rules.edit(1, { every: 7 }),
    ]);
    t.ok(claim.claimed.length <= 1);
    t.equal(edited.nextDueAt?.getTime(), (await rules.get(1)).nextDueAt?.getTime());
    t.equal((await rules.get(1)).nextDueAt?.getTime(), noon + 14_000);
  });

  t.test('a request is taken up by one, and not while the rule runs', async (t) => {
    const benches = await openSite(t);
    const [{ add, tasks, requests, store }] = benches;
    add('ants', nothing, { overlap: 'queue-one' });
    await tasks.setup();
    await Promise.all([1, 2, 3].map((i) => requests.add(1, 'run', `person ${i}`)));
    const open = await requests.open(10);
    t.equal(open.length, 3);
    for (let round = 0; round < 3; round++) {
      const claims = await Promise.all(
        open.flatMap((request) => benches.map((bench) => bench.claimer.claimRequests([request], quiet))),
      );
      const claimed = claims.flatMap((claim) => claim.claimed);
      t.equal(claimed.length, 1, `round ${round}`);
      await Promise.all(claimed.map((claim) => finish(benches, claim)));
    }
    t.same(await requests.open(10), []);
    const rows = await store.db.selectFrom('jobs').select('request_id').execute();
    t.equal(new Set(rows.map((row) => row.request_id)).size, 3);
  });

  t.test('a request that is withdrawn while it is claimed is one or the other', async (t) => {
    const benches = await openSite(t);
    const [{ add, tasks, requests, store }, other] = benches;
    if (other === undefined) throw new Error('unreachable: there are several');
    add('ants', nothing);
    await tasks.setup();
    for (let i = 0; i < 10; i++) {
      await requests.add(1, 'run', 'ann');
      await requests.add(1, 'cancel', 'bob');
      const [[run], [cancel]] = [await requests.open(1), await requests.cancellations()];
      if (run === undefined || cancel === undefined) throw new Error('unreachable: both are open');
      const [claim] = await Promise.all([
        other.claimer.claimRequests([run], quiet),
        requests.handleCancel(cancel, 'nothing ran'),
      ]);
      for (const claimed of claim.claimed) await finish(benches, claimed);
    }
    const rows = await store.db
      .selectFrom('job_requests')
      .leftJoin('jobs', 'jobs.request_id', 'job_requests.id')
      .select(['job_requests.outcome', 'jobs.id as job'])
      .where('action', '=', 'run')
      .execute();
    t.equal(rows.length, 10);
    t.ok(rows.every(({ outcome, job }) => (outcome === 'run') === (job !== null)));
  });

  t.test('a run that was given up is over: its worker writes nothing more to it', async (t) => {
    const benches = await openSite(t);
    const [{ add, tasks, jobs, claimer, ends, clock, store }, ...others] = benches;
    add('ants', nothing, { every: 1, everyUnit: 'secondly' });
    await tasks.setup();
    clock.advance(1000);
    const { claimed } = await claimer.claimDue([{ id: 1, dueAt: clock.now() }], quiet);
    const [claim] = claimed;
    if (claim === undefined) throw new Error('unreachable: nobody else is there');
    await jobs.addLines(claim.job, [{ at: noon, level: 'INFO', text: 'a\0b' }]);
    await store.db
      .updateTable('workers')
      .set({ stopped_at: noon, stop_reason: 'it was silent' })
      .where('id', '=', 'w1')
      .execute();
    const lost = (await Promise.all(others.map((other) => other.ends.giveUpLost()))).flat();
    t.match(lost, [{ id: claim.job.id, status: 'lost' }], 'by one of the others');
    await jobs.addLines(claim.job, [{ at: noon, level: 'INFO', text: 'late' }]);
    await jobs.setProgress(claim.job, { done: 1, total: 2, text: null });
    t.match(await ends.finish(claim.job, claim.rule, { status: 'done', message: 'done' }), { mine: false });
    t.match(await jobs.get(claim.job.id), { status: 'lost', progress: null });
    t.equal((await jobs.lines(claim.job.id)).length, 1);
    const ledger = await store.db
      .selectFrom('decisions')
      .select('reason')
      .where('reason', '=', 'lost')
      .execute();
    t.equal(ledger.length, 1);
  });

  t.test('an end that was written is known as written when it is told again', async (t) => {
    const [{ add, tasks, claimer, ends, clock }, other] = await openSite(t);
    if (other === undefined) throw new Error('unreachable: there are several');
    add('ants', nothing, { every: 1, everyUnit: 'secondly' });
    await tasks.setup();
    clock.advance(1000);
    const { claimed } = await claimer.claimDue([{ id: 1, dueAt: clock.now() }], quiet);
    const [claim] = claimed;
    if (claim === undefined) throw new Error('unreachable: nobody else is there');
    const outcome = { status: 'failed', message: 'no' } as const;
    t.match(await claimer.notBegun([claim.job.id]), []);
    t.match(await claimer.notBegun([]), [{ job: { id: claim.job.id }, user: null }]);
    t.match(await other.claimer.notBegun([]), []);
    t.match(await other.ends.finish(claim.job, claim.rule, outcome), { mine: false }, "another worker's");
    t.match(await ends.finish(claim.job, claim.rule, outcome), { mine: true });
    t.match(await ends.finish(claim.job, claim.rule, outcome), { mine: true });
    t.match(await ends.finish(claim.job, claim.rule, { status: 'done', message: 'yes' }), { mine: false });
    t.match(await claimer.notBegun([]), []);
  });

  t.test('a lease has one holder, and a number that grows with each change of hands', async (t) => {
    const benches = await openSite(t);
    const [{ clock, store }] = benches;
    const leases = benches.map((bench, i) => new Lease(bench.store.db, clock, 'log', `w${i + 1}`));
    for (let round = 1; round <= 4; round++) {
      await Promise.all(leases.map((lease) => lease.acquire()));
      const row = await store.db.selectFrom('leases').selectAll().executeTakeFirstOrThrow();
      t.equal(row.fence, round);
      t.equal(leases.filter((lease) => lease.held).length, 1, `round ${round}`);
      t.ok(leases[Number(row.worker_id.slice(1)) - 1]?.held);
      clock.advance(leaseMs + 1);
      // The holder comes too late once another has it.
      const late = leases.find((lease) => lease.held);
      const next = leases.find((lease) => !lease.held);
      t.equal(await next?.acquire(), true);
      t.equal(await late?.acquire(), false);
      await next?.release();
      await store.db.updateTable('leases').set({ fence: round }).execute();
    }
  });

  t.test('members are noticed, and come back', async (t) => {
    const url = await emptyDatabase(t);
    const clock = new ManualClock(noon);
    const [one, two] = await Promise.all([open(t, url, clock), open(t, url, clock)]);
    const owner = { host: 'elsewhere', pid: 1, start: '1' };
    const away = new WorkerRegistry(one.db, clock, owner);
    clock.advance(1);
    const living = new WorkerRegistry(two.db, clock);
    await Promise.all([away.join(['linod_test'], '1'), living.join(['linod_test'], '1')]);
    clock.advance(60_000);
    t.equal(await living.beat(), true);
    t.match(await living.markDead({ judgeSilence: true }), [{ id: away.id }]);
    t.equal(await away.beat(), false);
    t.equal((await living.living()).length, 2);
  });

  t.test('orders can be given by all at once', async (t) => {
    const benches = await openSite(t);
    const orders = benches.map(({ store, clock }) => new StartOrders(store.db, clock));
    await Promise.all(orders.map((order) => order.add('run.system.tasks', 'ann')));
    t.same(await orders[0]?.list(), ['run.system.tasks']);
  });
}

async function finish(benches: readonly Bench[], claim: Claimed): Promise<void> {
  const bench = benches[Number(claim.job.workerId.slice(1)) - 1];
  if (bench === undefined) throw new Error(`no worker ${claim.job.workerId}`);
  await bench.ends.finish(claim.job, claim.rule, { status: 'done', message: 'done' });
}
