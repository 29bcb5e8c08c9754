// Alarms about rules: each is raised by the fault itself, comes by each way, and is over when the fault is.

import { readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { AlarmReceivers, paged } from '../support/alarm-receivers.js';
import { differences, documentedJson } from '../support/json-docs.js';
import { LiveSite } from '../support/live-site.js';
import { PostgresServer } from '../support/postgres.js';
import { eventually } from '../support/programs.js';

t.jobs = 2;

const procedures = `import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { schedule } from 'linod';
schedule('@yearly', { mustSucceedWithin: '1s' }, function back_up() {});
schedule('@yearly', { onFailure: 'retry', retries: 1, retryDelaySeconds: 0 }, function feed_dragon() {
  if (!existsSync('dragon')) throw new Error('there is no dragon');
});
schedule('@yearly', async function count_stars() {
  if (!existsSync('dragon')) await setTimeout(60_000);
});
`;

async function checkRules(t: Test, config: { databaseUrl?: string }): Promise<void> {
  const receivers = await AlarmReceivers.start(t);
  receivers.refusals = 1;
  const files = { 'procedures/shop.ts': procedures, ...receivers.files };
  const site = new LiveSite(t, { ...config, ...receivers.config, files });
  const worker = await site.startWorker('--initiate');
  await site.linod('rule', '3', 'run');
  await site.run('linod', 'rule', '2', 'run', '--wait');
  const [silent] = await Promise.all([
    receivers.received(site, 'raised', 'not-succeeded', /^rule 1 \(back_up\) has not succeeded for/),
    receivers.received(site, 'raised', 'failed', /^rule 2 \(feed_dragon\): job \d, failed: .*no dragon$/),
    site.untilJobs('count_stars', 'one runs', (jobs) => jobs.some(({ status }) => status === 'running')),
  ]);
  t.match(silent, { subject: 'rule 1', rule: 1, site: 'test', raisedAt: /^20.*Z$/, clearedAt: null });
  t.match(await site.linod('alarms'), /^ *1 +(not-succeeded|failed) .* open /m);
  await site.linod('alarms', 'ack', String(silent.alarm));
  worker.kill('SIGKILL');
  await worker.ended();

  site.write({ dragon: '' });
  await site.startWorker();
  await receivers.received(site, 'raised', 'lost', /^rule 3 \(count_stars\): job \d, lost: worker .* ended/);
  await site.linod('rule', '1', 'set', 'mustSucceedWithin=26h');
  await site.linod('rule', '2', 'run', '--wait');
  await site.linod('rule', '3', 'run', '--wait');
  await Promise.all([
    receivers.received(site, 'cleared', 'not-succeeded'),
    receivers.received(site, 'cleared', 'failed'),
    receivers.received(site, 'cleared', 'lost'),
  ]);

  t.ok(
    receivers.requests.every(({ isSigned }) => isSigned),
    'each request is signed',
  );
  const [first] = receivers.requests;
  t.equal(receivers.requests.filter(({ id }) => id === first?.id).length, 2, 'what was refused comes again');
  const ids = new Set(receivers.requests.map(({ id }) => id));
  const states = paged(site).map(({ state, kind }) => `${state} ${kind}`);
  t.same(
    states.toSorted(),
    ['failed', 'lost', 'not-succeeded'].flatMap((kind) => [`cleared ${kind}`, `raised ${kind}`]).toSorted(),
    'one alarm an incident, also over a restart',
  );
  t.equal(ids.size, states.length);
  t.same(readFileSync(site.path('environment'), 'utf8').trim().split('\n').toSorted(), states.toSorted());
  t.same(receivers.mails[0]?.to, ['ops@example.org', 'ann@example.org']);
  const listed = JSON.parse(await site.linod('alarms', '--json'));
  t.same(differences(documentedJson().get('linod alarms'), listed), [], 'it is as documented');
  t.match(
    listed.find(({ id }: { id: number }) => id === silent.alarm),
    {
      kind: 'not-succeeded',
      acknowledgedAt: String,
      clearedAt: String,
      deliveries: [
        { way: 'mail', state: 'raised', doneAt: String },
        { way: 'webhook' },
        { way: 'command', answer: 'exit 0' },
        {},
        {},
        {},
      ],
    },
  );
}

t.test('rules that do not succeed, fail, and are lost, on SQLite', (t) => checkRules(t, {}));
t.test('rules that do not succeed, fail, and are lost, on PostgreSQL', async (t) => {
  const server = await PostgresServer.start(t);
  await checkRules(t, { databaseUrl: await server.createDatabase() });
});

t.test('what is silenced is announced when the silence ends, and a test says what happened', async (t) => {
  const receivers = await AlarmReceivers.start(t);
  const files = { 'procedures/shop.ts': procedures, ...receivers.files };
  const site = new LiveSite(t, { ...receivers.config, files });
  t.match(await site.run('linod', 'alarms', 'test'), {
    code: 0,
    stdout: /^mail: accepted: 250 .*\nwebhook: accepted: 204\ncommand: accepted: exit 0\n$/,
  });
  t.match(receivers.notices, [
    { state: 'test', alarm: 0, text: /^this is a test of the alarms of site test/ },
  ]);
  writeFileSync(site.path('page.mjs'), "console.error('no network'); process.exit(4);");
  t.match(await site.run('linod', 'alarms', 'test', '--json'), {
    code: 1,
    stdout: /"command","ok":false,"answer":".* ended with 4: no network"/,
  });
  t.match(await site.run('linod', 'alarms', 'silence', 'silnce', '2h'), {
    code: 2,
    stderr: /kinds are not-succeeded, failed/,
  });

  await site.linod('alarms', 'silence', 'not-succeeded', '2h');
  await site.startWorker('--initiate');
  await eventually('the alarm is raised', async () => /silenced until/.test(await site.linod('alarms')));
  t.equal(receivers.requests.length, 2, 'nothing came but the tests');
  await site.linod('alarms', 'silence', 'not-succeeded', '0s');
  await eventually('it is announced', () => receivers.notices.some(({ state }) => state === 'raised'));
});
