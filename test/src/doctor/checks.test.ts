// Each check of `linod doctor` is provoked by facts, and finds nothing in the facts of a site that is well.

import t from 'tap';
import { runCheck } from '../../../src/doctor/check.js';
import { allChecks, examineSite } from '../../../src/doctor/doctor.js';
import type {
  Facts,
  RedisFacts,
  RuleFact,
  RuleFacts,
  SiteFacts,
  WorkerFacts,
} from '../../../src/doctor/facts.js';
import { notRun } from '../../../src/doctor/part.js';
import type { Settings } from '../../../src/site/settings.js';
import { loadSite } from '../../../src/site/site.js';
import { siteDirectory } from '../../support/site.js';

const now = Date.UTC(2026, 10, 24, 12);
const { settings } = await loadSite(siteDirectory(t), { environment: {} });

const site: SiteFacts = {
  channel: 'linod_test',
  settings,
  ...{ brokenProcedures: [], missingRights: [] },
  disks: [{ directory: '/srv', freeBytes: 1e12 }],
  walFiles: [{ path: '/srv/linod.db-wal', bytes: 1e6 }],
};
const quiet = { skewMs: 0, listeners: [], isDraining: false, memoryBytes: 1e8, loopLagMs: 1 };
const worker: WorkerFacts = {
  ...{ id: 'vm[812]@w', pid: 812, version: '1.2.3', started_at: now - 60_000, heartbeat_at: now - 2000 },
  ...{ procedures: '["water"]', isSuspended: false },
  health: { ...quiet, tasks: 'running', logger: 'writing', loggerTrouble: null },
};
const rule: RuleFact = {
  ...{ id: 3, name: 'water', procedure: 'water', timezone: 'Europe/Tallinn' },
  ...{ nextDueAt: now + 60_000, failuresInRow: 0 },
};
const rules: RuleFacts = {
  ...{ active: [rule], cancelledByFailure: [], neverRan: new Map(), waitedForSlots: 0 },
  starts: new Map([[3, { late: 4, onTime: 1 }]]),
};
const redis: RedisFacts = {
  ...{ name: 'redis://localhost', version: '7.0.1', evictionPolicy: 'noeviction', usedBytes: 1e6 },
  ...{ maxBytes: 0, isPersistent: true, skewMs: 3 },
};
const channel = { channel: 'orders', depth: 1, capacity: 100, onLease: 0, dead: 0 };

const well: Facts = {
  now,
  program: { linod: '1.2.3', node: '22.4.0', zoneData: '2026a', nativeProblem: null },
  ...{ configurationProblem: null, databaseProblem: null, layerProblem: null },
  site: () => site,
  database: () => ({
    ...{ waitingMigrations: [], unknownMigrations: [], skewMs: 20 },
    ordered: ['log.server', 'run.system.tasks'],
  }),
  integrity: () => [],
  workers: () => [worker],
  rules: () => rules,
  waitingMails: () => 0,
  alarms: () => ({ watchedRules: 0, open: 0, undelivered: [] }),
  layer: () => ({ channels: [channel], strangers: [] }),
  redis: () => [redis],
  spools: () => [{ name: 'web-1.e.1.spool', bytes: 10, changedAt: now, owner: 'alive' }],
  logFaults: () => [],
};

const program = (of: Partial<Facts['program']>): Partial<Facts> => ({ program: { ...well.program, ...of } });
const ofSite = (of: Partial<SiteFacts>): Partial<Facts> => ({ site: () => ({ ...site, ...of }) });
const set = (of: Partial<Settings>) => ofSite({ settings: { ...settings, ...of } });
const database = (of: Partial<ReturnType<Facts['database']>>): Partial<Facts> => ({
  database: () => ({ ...well.database(), ...of }),
});
const alarms = (of: Partial<ReturnType<Facts['alarms']>>): Partial<Facts> => ({
  alarms: () => ({ ...well.alarms(), ...of }),
});
const workers = (of: Partial<WorkerFacts>): Partial<Facts> => ({ workers: () => [{ ...worker, ...of }] });
const oneRule = (of: Partial<RuleFact>): Partial<Facts> => ({
  rules: () => ({ ...rules, active: [{ ...rule, ...of }] }),
});
const ofRules = (of: Partial<RuleFacts>): Partial<Facts> => ({ rules: () => ({ ...rules, ...of }) });
const server = (of: Partial<RedisFacts>): Partial<Facts> => ({ redis: () => [{ ...redis, ...of }] });
const channels = (of: object): Partial<Facts> => ({
  layer: () => ({ channels: [{ ...channel, ...of }], strangers: [] }),
});
const deaf = { channel: 'linod_test', state: 'deaf', heardMsAgo: 9, dueMs: 1, lastError: null } as const;

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
  'disk-space': [[ofSite({ disks: [{ directory: '/srv', freeBytes: 1e7 }] }), /\/srv has 9 MiB free/]],
  'wal-size': [[ofSite({ walFiles: [{ path: 'linod.db-wal', bytes: 1e9 }] }), /linod\.db-wal has 953 MiB/]],
  'console-exposed': [[set({ console: '0.0.0.0:8780' }), /listens on 0\.0\.0\.0:8780, without TLS/]],
  'alarm-delivery': [
    [alarms({ watchedRules: 2 }), /nobody gets alarms: 2 rules are watched/],
    [set({ alarmMail: ['ops@example.org'] }), /alarmMail is set, and mailUrl or mailFrom is not/],
    [alarms({ undelivered: ['webhook, after 4 attempts: 500'] }), /not delivered by webhook/],
  ],
  'mail-settings': [
    [set({ mailUrl: 'smtp://mail.example.org' }), /mailFrom is not/],
    [{ waitingMails: () => 4 }, /4 mails wait/],
  ],
  database: [[{ databaseProblem: 'cannot open the database' }, /cannot open/]],
  'database-integrity': [[{ integrity: () => ['row 7 missing from index'] }, /row 7/]],
  migrations: [
    [database({ waitingMigrations: ['linod 0003'] }), /0003 waits/],
    [database({ unknownMigrations: ['linod 0009'] }), /0009 is unknown/],
  ],
  clocks: [
    [database({ skewMs: -5000 }), /5 s behind that of the database/],
    [server({ skewMs: 7000 }), /7 s ahead of that of Redis at redis:\/\/localhost/],
    [workers({ heartbeat_at: now + 9000 }), /heartbeat from the future/],
    [
      workers({ health: worker.health && { ...worker.health, skewMs: 9000 } }),
      /clock of worker vm\[812\]@w differs/,
    ],
  ],
  layer: [[{ layerProblem: 'cannot connect' }, /cannot connect/]],
  'redis-version': [[server({ version: '5.0.14' }), /is Redis 5\.0\.14/]],
  'redis-eviction': [[server({ evictionPolicy: 'allkeys-lru' }), /allkeys-lru/]],
  'redis-persistence': [[server({ isPersistent: false }), /neither/]],
  'redis-memory': [[server({ usedBytes: 9e8, maxBytes: 1e9 }), /uses 858 MiB of 953 MiB/]],
  'full-channels': [[channels({ depth: 85 }), /orders has 85 of 100/]],
  'dead-letters': [[channels({ dead: 2 }), /orders has 2 dead letters/]],
  'same-name': [
    [{ layer: () => ({ channels: [], strangers: ['other[1]@x'] }) }, /other\[1\]@x of another site/],
  ],
  workers: [
    [{ workers: () => [] }, /no worker of linod_test is running/],
    [database({ ordered: ['log.server'] }), /run\.system\.tasks was never started/],
  ],
  'silent-workers': [
    [workers({ isSuspended: true }), /suspended \(process 812\)/],
    [workers({ heartbeat_at: now - 40_000 }), /no heartbeat for 40 s/],
    [
      workers({ health: { ...worker.health, ...{ listeners: [deaf] } } as WorkerFacts['health'] }),
      /deaf on linod_test/,
    ],
  ],
  'mixed-versions': [[workers({ version: '1.2.0' }), /linod 1\.2\.0, this is 1\.2\.3/]],
  'rules-without-procedure': [[workers({ procedures: '[]' }), /rule 3 water: no worker has procedure water/]],
  'rules-never-run': [
    [oneRule({ nextDueAt: now - 3_600_000 }), /overdue by 1 h/],
    [ofRules({ neverRan: new Map([[3, 4]]) }), /never run, and 4 due times have passed/],
  ],
  'rules-always-late': [
    [ofRules({ starts: new Map([[3, { late: 5, onTime: 0 }]]) }), /last 5 runs began late/],
  ],
  'rules-failing': [
    [oneRule({ failuresInRow: 6 }), /failed 6 times in a row/],
    [ofRules({ cancelledByFailure: ['4 weed'] }), /rule 4 weed was cancelled by a failure/],
  ],
  'job-slots': [[ofRules({ waitedForSlots: 12 }), /12 of the last due times/]],
  'log-writer': [
    [
      workers({
        health: { ...quiet, tasks: 'off', logger: 'blocked', loggerTrouble: 'disk full' },
      }),
      /cannot write lino\.log: disk full/,
    ],
  ],
  'log-gaps': [[{ logFaults: () => ['log/lino.log has 2 faults'] }, /2 faults/]],
  'orphaned-spools': [
    [
      { spools: () => [{ name: 'web-1.e.1.spool', bytes: 10, changedAt: now - 1e6, owner: 'dead' }] },
      /web-1\.e\.1\.spool has 10 bytes/,
    ],
  ],
  'spool-size': [
    [
      {
        spools: () =>
          [1, 2].map((i) => ({ name: `web-1.e.${i}.spool`, bytes: 1.2e8, changedAt: now, owner: 'alive' })),
      },
      /sender web-1\.e keeps 228 MiB of 256 MiB/,
    ],
  ],
};

t.test('a site that is well gives no findings', async (t) => {
  t.same(
    examineSite(well).filter(({ status }) => status !== 'ok'),
    [],
  );
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
  const results = examineSite({ ...well, redis: notRun('there is no Redis') });
  const skipped = results.filter(({ status }) => status === 'not run');
  t.same(
    skipped.map(({ id, found }) => [id, ...found]),
    ['version', 'eviction', 'persistence', 'memory'].map((what) => [`redis-${what}`, 'there is no Redis']),
  );
  const broken = examineSite({
    ...well,
    integrity: () => {
      throw new TypeError('no such thing');
    },
  });
  t.match(
    broken.filter(({ status }) => status !== 'ok'),
    [{ id: 'database-integrity', status: 'failed', found: ['the check failed: no such thing'] }],
  );
});
