import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import t from 'tap';
import type { JobRule } from '../../../src/rules/rule.js';
import { Delays } from '../../../src/scheduler/delays.js';
import { openBench } from '../../support/site.js';
import { everySecond, nothing, reasons } from '../../support/tasks.js';
import { turns } from '../../support/until.js';

const rule = { id: 1, policies: { group: 'mail' } } as Pick<JobRule, 'id' | 'policies'>;

t.test(
  'what was the matter is told of the times at which it was, and not when these come again',
  async (t) => {
    const delays = new Delays();
    const told = (dueAt: number) => delays.of(rule, dueAt)?.why ?? null;
    delays.wasSetForward({ from: 1000, to: 9000, why: 'the clock was set forward by 8 s' });
    delays.wasAway(9500);
    delays.polledAt(9600, { waitsForSlot: true, groupWaits: new Map([['mail', 'job 7 was running']]) });
    t.equal(told(5000), 'the clock was set forward by 8 s');
    t.equal(told(9550), 'job 7 was running');
    delays.wasSetBack(2000);
    t.equal(told(5000), null);
    t.equal(told(2001), null);
    t.equal(told(1500), 'all job slots were taken', 'what was before is not known any better');
  },
);

t.test('what is late because the database was locked says so', async (t) => {
  const bench = await openBench(t);
  bench.add('ants', nothing, everySecond);
  await bench.tasks.setup();
  bench.tasks.startPolling();
  const other = new Sqlite(join(bench.site.directory, 'linod.db'));
  t.teardown(() => other.close());
  other.exec('begin immediate');
  bench.clock.advance(1000);
  const polling = bench.tasks.run();
  await turns();
  bench.clock.advance(7000);
  other.exec('rollback');
  await polling;
  await bench.tasks.settled();
  t.match(await reasons(bench), ['late by 7 s: the database was locked', /^dropped 7 further due times/]);
});
