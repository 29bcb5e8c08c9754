// Alarms about rules: each is raised by the fault itself, comes by each way, and is over when the fault is.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { openLayer } from '../../channels/index.js';
import { AlarmReceivers, paged } from '../support/alarm-receivers.js';
import { differences, documentedJson } from '../support/json-docs.js';
import { LiveSite } from '../support/live-site.js';
import { eventually } from '../support/programs.js';

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

t.test('rules that do not succeed, fail, and are lost; a test; a silence', async (t) => {
  const receivers = await AlarmReceivers.start(t);
  const site = new LiveSite(t, {
    ...receivers.config,
    files: { 'procedures/shop.ts': procedures, ...receivers.files },
  });
  t.match(await site.run('linod', 'alarms', 'test'), {
    code: 0,
    stdout: /^mail: accepted: 250 .*\nwebhook: accepted: 204\ncommand: accepted: exit 0\n$/,
  });
  t.match(receivers.notices, [
    { state: 'test', alarm: 0, text: /^this is a test of the alarms of site test/ },
  ]);
  site.write({ 'page.sh': "echo 'no network' >&2; exit 4" });
  t.match(await site.run('linod', 'alarms', 'test', '--json'), {
    code: 1,
    stdout: /"command","ok":false,"answer":".* ended with 4: no network"/,
  });
  t.match(await site.run('linod', 'alarms', 'silence', 'silnce', '2h'), {
    code: 2,
    stderr: /kinds are not-succeeded, failed/,
  });
  site.write(receivers.files);
  receivers.forget(site);
  receivers.refusals = 1;

  await site.linod('alarms', 'silence', 'not-succeeded', '2h');
  const worker = await site.startWorker('--initiate');
  const layer = await openLayer(`sqlite:${site.path('channels.db')}`);
  t.teardown(() => layer.close());
  const run = (rule: number) => layer.send(site.channel, { type: 'job.run', rule });
  await run(2);
  await run(3);
  await receivers.received(site, 'raised', 'failed', /^rule 2 \(feed_dragon\): job \d, failed: .*no dragon$/);
  await site.untilJobs('count_stars', 'one runs', (jobs) => jobs.some(({ status }) => status === 'running'));
  const { db } = await site.store();
  await eventually('the silenced alarm is raised', async () => {
    const raised = await db.selectFrom('alarms').where('kind', '=', 'not-succeeded').selectAll().execute();
    return raised.length > 0;
  });
  const shown = await site.linod('alarms');
  t.match(shown, /^ *\d+ +failed .* open /m);
  t.match(shown, /^ *\d+ +not-succeeded .* silenced until /m);
  t.notOk(receivers.notices.some(({ kind }) => kind === 'not-succeeded'));
  await site.linod('alarms', 'silence', 'not-succeeded', '0s');
  const late = /^rule 1 \(back_up\) has not succeeded for/;
  const silent = await receivers.received(site, 'raised', 'not-succeeded', late);
  t.match(silent, { subject: 'rule 1', rule: 1, site: 'test', raisedAt: /^20.*Z$/, clearedAt: null });
  await site.linod('alarms', 'ack', String(silent.alarm));
  worker.kill('SIGKILL');
  await worker.ended();

  site.write({ dragon: '' });
  await site.startWorker();
  await receivers.received(site, 'raised', 'lost', /^rule 3 \(count_stars\): job \d, lost: worker .* ended/);
  await site.linod('rule', '1', 'set', 'mustSucceedWithin=26h');
  await run(2);
  await run(3);
  await receivers.received(site, 'cleared', 'not-succeeded');
  await receivers.received(site, 'cleared', 'failed');
  await receivers.received(site, 'cleared', 'lost');

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
});
