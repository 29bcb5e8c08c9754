import t, { type Test } from 'tap';
import { AlarmService } from '../../../src/alarms/alarm-service.js';
import { waysOf } from '../../../src/alarms/delivery/ways.js';
import { siteFindings } from '../../../src/alarms/findings.js';
import { Incidents, listIncidents, noteLogGap, silence } from '../../../src/alarms/incidents.js';
import type { Finding } from '../../../src/alarms/kinds.js';
import { Logger } from '../../../src/log/logger.js';
import { loadSite } from '../../../src/site/site.js';
import { eventually } from '../../support/programs.js';
import { type Bench, openBench, siteDirectory } from '../../support/site.js';

const nothing = () => undefined;
const yearly = { everyUnit: 'yearly' } as const;
const hour = 3_600_000;

/** What is wrong with the rules of a site, in short. */
async function wrong({ site, store, clock }: Bench): Promise<string[]> {
  const findings = await siteFindings({ site, db: store.db, clock, workers: [], channels: null });
  return findings.filter(({ rule }) => rule !== undefined).map(({ kind, rule }) => `${kind} ${rule}`);
}

async function run(bench: Bench, id: number): Promise<void> {
  await bench.requests.add(id, 'run', 'ann');
  await bench.tasks.run();
  await bench.tasks.settled();
}

t.test(
  'the time for a success begins with the last one, or when the rule or the field was made',
  async (t) => {
    const bench = await openBench(t);
    await bench.join();
    bench.add('back_up', nothing, { ...yearly, mustSucceedWithin: '2h' });
    bench.add('report', nothing, yearly);
    await bench.tasks.setup();
    bench.clock.advance(2 * hour);
    t.same(await wrong(bench), []);
    bench.clock.advance(1);
    t.same(await wrong(bench), ['not-succeeded 1']);
    await run(bench, 1);
    t.same(await wrong(bench), [], 'it has succeeded');
    await bench.rules.edit(2, { mustSucceedWithin: '1h' });
    bench.clock.advance(hour + 1);
    t.same(await wrong(bench), ['not-succeeded 2'], 'the field is an hour old');
    await bench.rules.edit(2, { mustSucceedWithin: '1d' });
    t.same(await wrong(bench), []);
    bench.clock.advance(hour);
    t.same(await wrong(bench), ['not-succeeded 1']);
    await bench.rules.cancel(1);
    t.same(await wrong(bench), [], 'a person has cancelled it');
    await bench.rules.resume(1);
    t.same(await wrong(bench), [], 'the time begins anew');
    bench.clock.advance(2 * hour + 1);
    t.same(await wrong(bench), ['not-succeeded 1']);
    await bench.rules.edit(1, { mustSucceedWithin: '' });
    t.same(await wrong(bench), []);
    await t.rejects(bench.rules.edit(1, { mustSucceedWithin: 'a day' }), {
      message: /expected mustSucceedWithin to be a time such as/,
    });
  },
);

t.test('a rule that a failure has cancelled still has to succeed', async (t) => {
  const bench = await openBench(t);
  await bench.join();
  const fail = () => Promise.reject(new Error('no'));
  bench.add('back_up', fail, { ...yearly, mustSucceedWithin: '2h' });
  await bench.tasks.setup();
  await run(bench, 1);
  t.same(await wrong(bench), ['failed 1']);
  bench.clock.advance(3 * hour);
  t.same(await wrong(bench), ['not-succeeded 1', 'failed 1']);
});

t.test('a lost run is an incident until a later one succeeds', async (t) => {
  const bench = await openBench(t);
  await bench.join();
  bench.add('back_up', nothing, yearly);
  await bench.tasks.setup();
  await run(bench, 1);
  await bench.store.db.updateTable('jobs').set({ status: 'lost' }).execute();
  t.same(await wrong(bench), ['lost 1']);
  await run(bench, 1);
  t.same(await wrong(bench), []);
});

const deaf: Finding = { kind: 'deaf', subject: 'w1', text: 'worker w1 does not hear' };

/** The messages so far: `raised deaf by mail`. */
async function queued({ store }: Bench): Promise<string[]> {
  const rows = await store.db
    .selectFrom('alarm_deliveries')
    .innerJoin('alarms', 'alarms.id', 'alarm_id')
    .select(['alarm_deliveries.state', 'kind', 'way'])
    .orderBy('alarm_deliveries.id')
    .execute();
  return rows.map(({ state, kind, way }) => `${state} ${kind} by ${way}`);
}

async function open(t: Test): Promise<{ bench: Bench; pass: (...found: Finding[]) => Promise<unknown> }> {
  const bench = await openBench(t);
  const incidents = new Incidents(bench.store.db, ['mail']);
  const pass = async (...found: Finding[]) => {
    bench.clock.advance(5000);
    return await incidents.update(found, () => true, bench.clock.now());
  };
  return { bench, pass };
}

t.test('a worker that starts after an outage reports it, unless another one has', async (t) => {
  const bench = await openBench(t);
  const { db } = bench.store;
  const incidents = new Incidents(db, ['mail']);
  const start = async () => {
    bench.clock.advance(hour);
    await incidents.reportOutage({ id: 'w2', startedAt: bench.clock.now() });
  };
  await start();
  await bench.join('w1');
  await start();
  t.same(await queued(bench), [], 'no worker ever ran, or one still runs');
  await db.updateTable('workers').set({ stopped_at: bench.clock.now() }).execute();
  await start();
  await start();
  t.same(await queued(bench), ['raised no-worker by mail']);
  const [{ text = '' } = {}] = await listIncidents(db, 0, bench.clock.now());
  t.equal(text, 'no worker ran for 2 h, until worker w2 was started');
});

t.test('an incident is announced once, when it has lasted, and once when it is over', async (t) => {
  const { bench, pass } = await open(t);
  await pass(deaf);
  t.same(await queued(bench), [], 'it may be over soon');
  await pass();
  await pass(deaf);
  await pass(deaf);
  await pass(deaf);
  t.same(await queued(bench), ['raised deaf by mail']);
  const other = new Incidents(bench.store.db, ['mail']);
  await other.update([deaf], () => false, bench.clock.now());
  await other.update([], () => false, bench.clock.now());
  t.same(await queued(bench), ['raised deaf by mail'], 'another process that watches knows it');
  await pass();
  await pass();
  t.same(await queued(bench), ['raised deaf by mail', 'cleared deaf by mail']);
});

t.test('a silenced incident is announced when the silence ends, unless it is over', async (t) => {
  const { bench, pass } = await open(t);
  const { db } = bench.store;
  await silence(db, 'deaf', 'ann', bench.clock.now() + hour);
  await pass(deaf);
  await pass(deaf);
  await pass();
  await pass(deaf);
  await pass(deaf);
  t.same(await queued(bench), []);
  t.match(await listIncidents(db, 0, bench.clock.now()), [
    { silenced_until_at: Number },
    { cleared_at: Number },
  ]);
  bench.clock.advance(hour);
  await pass(deaf);
  t.same(await queued(bench), ['raised deaf by mail']);
  await t.rejects(silence(db, '99', 'ann', 1), { message: 'there is no alarm 99: linod alarms' });
});

t.test('lost log records are announced once, and over when none was lost for an hour', async (t) => {
  const { bench, pass } = await open(t);
  const gap = { sender: 'web[7]', records: 3 };
  await noteLogGap(bench.store.db, gap, bench.clock.now());
  await pass();
  bench.clock.advance(hour / 2);
  await noteLogGap(bench.store.db, gap, bench.clock.now());
  bench.clock.advance(hour / 2);
  await pass();
  t.same(await queued(bench), ['raised log-gap by mail']);
  bench.clock.advance(hour / 2);
  await pass();
  t.same(await queued(bench), ['raised log-gap by mail', 'cleared log-gap by mail']);
});

t.test('a clock that is set back delays no alarm', async (t) => {
  const { bench } = await open(t);
  const incidents = new Incidents(bench.store.db, ['mail']);
  const pass = (now: number) => incidents.update([deaf], () => true, now);
  const now = bench.clock.now();
  await pass(now);
  await pass(now - hour);
  await pass(now - hour + 5000);
  t.same(await queued(bench), ['raised deaf by mail']);
});

t.test('a channel at its limit is one incident, until there is room again', async (t) => {
  const { bench, pass } = await open(t);
  const { site, store, clock } = bench;
  const count = async (depth: number) => {
    const channels = [{ channel: site.channel, depth, capacity: 100, onLease: 0, dead: 0 }];
    const found = await siteFindings({ site, db: store.db, clock, workers: [], channels });
    await pass(...found.filter(({ kind }) => kind === 'channel-full'));
  };
  await count(99);
  await count(99);
  t.same(await queued(bench), []);
  for (const depth of [100, 99, 100, 81, 100]) await count(depth);
  t.same(await queued(bench), ['raised channel-full by mail']);
  await count(79);
  t.same(await queued(bench), ['raised channel-full by mail', 'cleared channel-full by mail']);
});

t.test('what a machine says of itself is over when the machine is gone, and not before', async (t) => {
  const { bench, pass } = await open(t);
  const { site, store, clock } = bench;
  const disk = (host: string): Finding => {
    return { kind: 'disk-filling', subject: `${host} /data`, text: `the disk of /data on ${host} fills up` };
  };
  await pass(disk('pod-1'), disk('pod-2'));
  clock.advance(hour);
  const other = new Incidents(store.db, ['mail']);
  await other.update([disk('pod-2')], () => false, clock.now());
  const layer = await site.openLayer();
  const logger = new Logger({ sink: { write: () => undefined }, name: 'alarms', level: 'INFO' });
  const workers = async () => [];
  const who = { watcher: 'w1', startedAt: null, workers };
  const service = new AlarmService({ site, store, layer, logger, clock, ...who });
  t.teardown(async () => {
    await service.close();
    await layer.close();
  });
  service.start();
  await eventually('that of the machine that is gone is over', async () =>
    (await listIncidents(store.db, 0, clock.now())).some(({ cleared_at }) => cleared_at !== null),
  );
  const listed = (await listIncidents(store.db, 0, clock.now())).filter(
    ({ kind }) => kind === 'disk-filling',
  );
  t.match(listed, [
    { subject: 'pod-2 /data', cleared_at: null },
    { subject: 'pod-1 /data', cleared_at: Number },
  ]);
});

t.test('a way that lacks a setting keeps no other way from sending', async (t) => {
  const config = { alarmMail: ['ops@example.org'], alarmCommand: ['page'] };
  const site = await loadSite(siteDirectory(t, config), { environment: {} });
  const bad: unknown[] = [];
  const names = waysOf(site, (error) => bad.push(error)).map(({ name }) => name);
  t.same(names, ['command']);
  t.match(bad, [{ message: /alarmMail.*it needs mailUrl, which is not set/ }]);
  t.throws(() => waysOf(site), { code: 'LINOD_ERR_BAD_CONFIG' });
});
