// `linod doctor` on real sites: one that is well, and ones with real faults.

import { readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import type { CheckResult } from '../../src/doctor/check.js';
import { gatherFacts } from '../../src/doctor/facts.js';
import { loadSite } from '../../src/site/site.js';
import { differences, documentedJson } from '../support/json-docs.js';
import { LiveSite } from '../support/live-site.js';
import { PostgresServer } from '../support/postgres.js';
import { eventually } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';

const files = {
  'procedures/garden.ts': `import { scheduleDaily } from 'linod';
scheduleDaily({ name: 'water' }, () => undefined);
`,
};

/** Runs the doctor, who must find exactly what these ids name. */
async function finds(t: Test, site: LiveSite, ids: readonly string[]): Promise<Map<string, CheckResult>> {
  const { code, stdout } = await site.run('linod', 'doctor', '--json');
  const printed = JSON.parse(stdout);
  t.same(differences(documentedJson().get('linod doctor'), printed), [], 'it is as documented');
  const { checks }: { checks: CheckResult[] } = printed;
  const found = checks.filter(({ status }) => status === 'found' || status === 'failed');
  const foundIds = found.map(({ id }) => id);
  t.same(foundIds, ids, JSON.stringify(found));
  t.equal(code, ids.length === 0 ? 0 : 3);
  return new Map(checks.map((check) => [check.id, check]));
}

t.test('a site that is well, and what another one with its name and a lax Redis bring', async (t) => {
  const [redis, postgres] = await Promise.all([RedisServer.start(t), PostgresServer.start(t)]);
  const site = new LiveSite(t, {
    channelLayer: redis.url,
    databaseUrl: await postgres.createDatabase(),
    files,
  });
  await site.startWorker('--initiate');
  const checks = await finds(t, site, ['redis-persistence']);
  t.match(checks.get('database-integrity'), { status: 'not run', found: [/PostgreSQL/] });

  const other = new LiveSite(t, { channelLayer: redis.url, files });
  await other.store();
  // The worker has half a second to answer, which a busy machine may exceed.
  let strangers: readonly string[] = [];
  await eventually('the worker of the first site answers', async () => {
    const facts = await gatherFacts(() => loadSite(other.directory, { environment: {} }));
    strangers = facts.layer.get().strangers;
    return strangers.length > 0;
  });
  t.match(strangers, [/^.+\[\d+\]@/]);
});

t.test('a damaged database, and a configuration that cannot be read', async (t) => {
  const site = new LiveSite(t, { files });
  await (await site.store()).close();
  const database = readFileSync(site.path('linod.db'));
  // The first page stays, so that the file can be opened.
  database.fill(0xff, 4096, 12 * 4096);
  writeFileSync(site.path('linod.db'), database);
  const { code, stdout } = await site.run('linod', 'doctor');
  t.equal(code, 3);
  t.match(stdout, /^database-integrity\n {2}.+\n(.*\n)* {2}→ stop the workers and restore a backup/m);

  site.write({ 'linod.config.json': '{"maxJobs": "many"}' });
  const broken = await finds(t, site, ['configuration']);
  t.match(broken.get('workers'), { status: 'not run', found: ['the configuration cannot be read'] });
});
