// Each check of `linod doctor` is provoked by facts, and finds nothing in the facts of a site that is well.

import t from 'tap';
import { runCheck } from '../../../src/doctor/check.js';
import { allChecks, runChecks } from '../../../src/doctor/checks.js';
import type { Facts, SiteFacts } from '../../../src/doctor/facts.js';
import type { RedisFacts } from '../../../src/doctor/gather-layer.js';
import type {
  AlarmFacts,
  DatabaseFacts,
  RuleFact,
  RuleFacts,
  WorkerFacts,
} from '../../../src/doctor/gather-store.js';
import { missing, type Part } from '../../../src/doctor/part.js';
import type { Settings } from '../../../src/site/settings.js';
import { loadSite } from '../../../src/site/site.js';
import { siteDirectory } from '../../support/site.js';

const now = Date.UTC(2026, 10, 24, 12);
const { settings } = await loadSite(siteDirectory(t), { environment: {} });
const have = <T>(facts: T): Part<T> => ({ get: () => facts, has: true, problem: null });

const site: SiteFacts = {
  settings,
  ...{ brokenProcedures: [], missingRights: [] },
  disks: [{ directory: '/srv', free: 1e12 }],
  walFiles: [{ path: '/srv/linod.db-wal', bytes: 1e6 }],
};
const worker: WorkerFacts = { id: 'vm[812]@w', version: '1.2.3', procedures: '["water"]', skewMs: 0 };
const rule: RuleFact = {
  ...{ id: 3, name: 'water', procedure: 'water', timezone: 'Europe/Tallinn' },
  nextDueAt: now + 60_000,
};
const rules: RuleFacts = {
  ...{ active: [rule], neverRan: new Map() },
  starts: new Map([[3, { late: 4, onTime: 1 }]]),
};
const redis: RedisFacts = {
  ...{ name: 'redis://localhost', version: '7.0.1', evictionPolicy: 'noeviction' },
  ...{ isPersistent: true, skewMs: 3 },
};
const channel = { channel: 'orders', depth: 1, capacity: 100, onLease: 0, dead: 0 };
const quietAlarms: AlarmFacts = { watchedRules: 0, open: 0, undelivered: [] };
const current: DatabaseFacts = { waitingMigrations: [], unknownMigrations: [], skewMs: 20 };

const well: Facts = {
  now,
  program: { linod: '1.2.3', node: '22.4.0', zoneData: '2026a', nativeProblem: null },
  configurationProblem: null,
  site: have(site),
  database: have(current),
  integrity: have([]),
  workers: have([worker]),
  workerProblems: have([]),
  rules: have(rules),
  waitingMails: have(0),
  alarms: have(quietAlarms),
  layer: have({ channels: [channel], strangers: [] }),
  redis: have([redis]),
  spools: have([{ name: 'web-1.e.1.spool', bytes: 10, changedAt: now, owner: 'alive' }]),
};

const program = (of: Partial<Facts['program']>): Partial<Facts> => ({ program: { ...well.program, ...of } });
const ofSite = (of: Partial<SiteFacts>): Partial<Facts> => ({ site: have({ ...site, ...of }) });
const set = (of: Partial<Settings>) => ofSite({ settings: { ...settings, ...of } });
const database = (of: Partial<DatabaseFacts>): Partial<Facts> => ({ database: have({ ...current, ...of }) });
const alarms = (of: Partial<AlarmFacts>): Partial<Facts> => ({ alarms: have({ ...quietAlarms, ...of }) });
const workers = (of: Partial<WorkerFacts>): Partial<Facts> => ({ workers: have([{ ...worker, ...of }]) });
const oneRule = (of: Partial<RuleFact>): Partial<Facts> => ({
  rules: have({ ...rules, active: [{ ...rule, ...of }] }),
});
const ofRules = (of: Partial<RuleFacts>): Partial<Facts> => ({ rules: have({ ...rules, ...of }) });
const server = (of: Partial<RedisFacts>): Partial<Facts> => ({ redis: have([{ ...redis, ...of }]) });
const channels = (of: object): Partial<Facts> => ({
  layer: have({ channels: [{ ...channel, ...of }], strangers: [] }),
});

/** What provokes each check, and what it says then. */
const provoked: Readonly<Record<string, ReadonlyArray<readonly [Partial<Facts>, RegExp]>>> = {
  'node-version': [
    [program({ node: '20.11.1' }), /20\.11\.1 is older than 20\.12/],
    [program({ node: '24.20.0' }), /aborts programs/],
  ],
  'native-module': [[program({ nativeProblem: 'bindings file' }), /bindings/]],
  'zone-data': [
    [program({ zoneData: '2024b' }), /zone data is of 2024b/],
    [oneRule({ timezone: 'Mars/Base' }), /Mars\/Base/],
  ],
  configuration: [[{ configurationProblem: 'linod.config.ts: maxJobs: expected' }, /maxJobs/]],
  procedures: [[ofSite({ brokenProcedures: ['procedures/a.ts: cannot be loaded'] }), /a\.ts/]],
  permissions: [[ofSite({ missingRights: ['user ann may not write linod.db'] }), /ann/]],
  'disk-space': [[ofSite({ disks: [{ directory: '/srv', free: 1e7 }] }), /\/srv has 9 MiB free/]],
  'wal-size': [[ofSite({ walFiles: [{ path: 'linod.db-wal', bytes: 1e9 }] }), /linod\.db-wal has 953 MiB/]],
  'console-exposed': [[set({ console: '0.0.0.0:8780' }), /listens on 0\.0\.0\.0:8780, without TLS/]],
  'alarm-delivery': [
    [alarms({ watchedRules: 2 }), /nobody gets alarms: 2 rules are watched/],
    [set({ alarmMail: ['ops@example.org'] }), /alarmMail is set, and mailUrl or mailFrom is not/],
    [alarms({ undelivered: ['webhook, after 4 attempts: 500'] }), /not delivered by webhook/],
  ],
  'mail-settings': [
    [set({ mailUrl: 'smtp://mail.example.org' }), /mailFrom is not/],
    [{ waitingMails: have(4) }, /4 mails wait/],
  ],
  database: [[{ database: missing('cannot open it', 'cannot open it') }, /cannot open/]],
  'database-integrity': [[{ integrity: have(['row 7 missing from index']) }, /row 7/]],
  migrations: [
    [database({ waitingMigrations: ['linod 0003'] }), /0003 waits/],
    [database({ unknownMigrations: ['linod 0009'] }), /0009 is unknown/],
  ],
  clocks: [
    [database({ skewMs: -5000 }), /5 s behind that of the database/],
    [server({ skewMs: 7000 }), /7 s ahead of that of Redis at redis:\/\/localhost/],
    [workers({ skewMs: 9000 }), /clock of worker vm\[812\]@w differs/],
  ],
  layer: [[{ layer: missing('cannot connect', 'cannot connect') }, /cannot connect/]],
  'redis-version': [[server({ version: '5.0.14' }), /is Redis 5\.0\.14/]],
  'redis-eviction': [[server({ evictionPolicy: 'allkeys-lru' }), /allkeys-lru/]],
  'redis-persistence': [[server({ isPersistent: false }), /neither/]],
  'full-channels': [[channels({ depth: 85 }), /orders has 85 of 100/]],
  'same-name': [
    [{ layer: have({ channels: [], strangers: ['other[1]@x'] }) }, /other\[1\]@x of another site/],
  ],
  workers: [[{ workerProblems: have(['no worker is running']) }, /no worker is running/]],
  'mixed-versions': [[workers({ version: '1.2.0' }), /linod 1\.2\.0, this is 1\.2\.3/]],
  'rules-without-procedure': [[workers({ procedures: '[]' }), /rule 3 water: no worker has procedure water/]],
  'rules-never-run': [
    [oneRule({ nextDueAt: now - 3_600_000 }), /overdue by 1 h/],
    [ofRules({ neverRan: new Map([[3, 4]]) }), /never run, and 4 due times have passed/],
  ],
  'rules-always-late': [
    [ofRules({ starts: new Map([[3, { late: 5, onTime: 0 }]]) }), /last 5 runs began late/],
  ],
  'orphaned-spools': [
    [
      { spools: have([{ name: 'web-1.e.1.spool', bytes: 10, changedAt: now - 1e6, owner: 'dead' }]) },
      /web-1\.e\.1\.spool has 10 bytes/,
    ],
  ],
};

t.test('a site that is well gives no findings', async (t) => {
  const found = runChecks(well).filter(({ status }) => status !== 'ok');
  t.same(found, []);
});

for (const check of allChecks) {
  t.test(`${check.id} finds what provokes it`, async (t) => {
    const cases = provoked[check.id] ?? [];
    t.ok(cases.length > 0, 'there is a case');
    for (const [facts, text] of cases) {
      const { status, found, advice } = runCheck(check, { ...well, ...facts });
      t.equal(status, 'found');
      t.match(found.join('; '), text);
      t.equal(advice, check.advice);
    }
  });
}

t.test('ids are unique', async (t) => {
  t.equal(new Set(allChecks.map(({ id }) => id)).size, allChecks.length);
});

t.test('a check without its facts says why it did not run, and one that throws is a finding', async (t) => {
  const results = runChecks({ ...well, redis: missing('there is no Redis') });
  const skipped = results.filter(({ status }) => status === 'not run');
  t.same(
    skipped.map(({ id, found }) => [id, ...found]),
    ['version', 'eviction', 'persistence'].map((what) => [`redis-${what}`, 'there is no Redis']),
  );
  const get = () => {
    throw new TypeError('no such thing');
  };
  const broken = runChecks({ ...well, integrity: { get, has: true, problem: null } });
  t.match(
    broken.filter(({ status }) => status !== 'ok'),
    [{ id: 'database-integrity', status: 'failed', found: ['the check failed: no such thing'] }],
  );
});
