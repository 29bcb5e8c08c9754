// Pushes and reminders with real workers: killed in the middle, two of them, and runs in threads and processes.

import t, { type Test } from 'tap';
import { openLayer } from '../../channels/index.js';
import { savePushSubscription } from '../../procedures/index.js';
import { CommandShell } from '../support/command-shell.js';
import { LiveSite } from '../support/live-site.js';
import { eventually } from '../support/programs.js';
import { openPushService, pushSettings } from '../support/push.js';

/** Meetings of a file, of which users are told by push. */
const people = `import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { registerEventSource, registerNotificationKind } from 'linod/procedures';

registerNotificationKind({ name: 'reminder', ways: ['push'] });
registerEventSource({
  name: 'meetings',
  remindMinutesBefore: [60],
  upcoming: (_from, _to, ar) =>
    JSON.parse(readFileSync(join(ar.site.directory, 'meetings.json'), 'utf8')).map((meeting) => ({
      ...meeting,
      start: new Date(meeting.start),
    })),
});
`;

async function openSite(test: Test, names: readonly string[]) {
  const { service, arrived } = await openPushService(test);
  const files = { 'procedures/people.js': people, 'meetings.json': '[]' };
  const site = new LiveSite(test, { ...pushSettings, shippedProcedures: true, files });
  const shell = await CommandShell.start(test, site.directory);
  await shell.run('linod migrate');
  const { db } = await site.store();
  for (const name of names) await savePushSubscription(db, name, service.subscribe(name));
  return { service, arrived, site, shell };
}

t.test(
  'a worker that is killed in the middle of deliveries loses none and repeats each at most once',
  async (t) => {
    const names = Array.from({ length: 30 }, (_, i) => `user${i}`);
    const { service, arrived, site, shell } = await openSite(t, names);
    const worker = await site.startWorker('--initiate');
    // Some have been answered when the worker dies, some never are.
    for (const name of names.slice(0, 12)) service.behave(name, () => undefined);
    await shell.run('linod push send --all --title Hello');
    await eventually('the slow ones are on the way', async () =>
      names.slice(0, 12).every((name) => arrived.some(({ to }) => to === name)),
    );
    worker.kill('SIGKILL');
    await worker.ended();
    for (const name of names) service.behave(name, (_push, response) => void response.writeHead(201).end());
    const second = await site.startWorker();
    await eventually('all are sent', async () => {
      const { stdout } = await shell.run('linod push queue --status sent --limit 100 --json');
      return JSON.parse(stdout).length === names.length;
    });
    const counts = names.map((name) => arrived.filter(({ to }) => to === name).length);
    t.same(
      counts.filter((count) => count < 1 || count > 2),
      [],
      `none is lost or came a third time: ${counts.join(' ')}`,
    );
    t.ok(counts.filter((count) => count === 2).length <= 16, 'only what was in hand was repeated');
    t.equal(new Set(arrived.map(({ topic }) => topic)).size, 1, 'repeats can be told by their topic');
    second.kill('SIGTERM');
    t.equal((await second.ended()).code, 0);
  },
);

t.test('two workers send each push once; a message on the channel queues one', async (t) => {
  const names = Array.from({ length: 40 }, (_, i) => `user${i}`);
  const { arrived, site } = await openSite(t, names);
  const workers = [await site.startWorker('--initiate'), await site.startWorker()];
  const layer = await openLayer(`sqlite:${site.path('channels.db')}`);
  t.teardown(() => layer.close());
  const reply_channel = await layer.newChannel();
  for (let i = 0; i < 3; i++) {
    await layer.send(site.channel, { type: 'send.push', user_id: null, data: { number: i }, reply_channel });
    t.match(await layer.receive(reply_channel), { type: 'push.queued', deliveries: names.length });
  }
  await layer.send(site.channel, {
    type: 'send.push',
    user_id: 'user1',
    data: { a: 'x'.repeat(5000) },
    reply_channel,
  });
  t.match(await layer.receive(reply_channel), { type: 'push.refused', error: /at most 3993 bytes/ });
  await site.logged(/a push was not queued, asked for by a message: push: expected at most 3993 bytes/);
  await eventually('all have arrived', async () => arrived.length >= 3 * names.length);
  for (const worker of workers) worker.kill('SIGTERM');
  for (const worker of workers) t.equal((await worker.ended()).code, 0);
  t.equal(arrived.length, 3 * names.length);
  t.equal(new Set(arrived.map(({ to, payload }) => `${to} ${payload}`)).size, arrived.length);
});

t.test('in threads and processes reminders and pushes go out as well', async (t) => {
  const { arrived, site, shell } = await openSite(t, ['ann']);
  const worker = await site.startWorker('--initiate');
  // By itself it would send nothing for a year.
  t.equal((await shell.run('linod rule 8 set everyUnit=yearly')).code, 0);
  const start = Date.now() + 1_800_000;
  const meetings: object[] = [];
  for (const runIn of ['thread', 'process']) {
    for (const rule of [2, 8]) t.equal((await shell.run(`linod rule ${rule} set runIn=${runIn}`)).code, 0);
    meetings.push({ id: runIn, start, to: 'ann', subject: `in a ${runIn}` });
    site.write({ 'meetings.json': JSON.stringify(meetings) });
    // Planned and due; on its way to Ann, and sent at once.
    for (const rule of [2, 5]) t.equal((await shell.run(`linod rule ${rule} run --wait`)).code, 0);
    await eventually('the reminder has arrived', async () => arrived.length === meetings.length);
    t.match(JSON.parse(arrived.at(-1)?.payload ?? ''), { title: `in a ${runIn}`, kind: 'reminder' });
    // A run that is asked for while the one before still ends is skipped, and the next would come in a year.
    await site.untilJobs('send_pending_push', 'it has ended', (jobs) =>
      jobs.every(({ status }) => status !== 'running'),
    );
  }
  for (const rule of [2, 5, 8]) t.equal((await shell.run(`linod rule ${rule} run --wait`)).code, 0);
  t.equal(arrived.length, 2, 'nobody is reminded twice');
  worker.kill('SIGTERM');
  t.equal((await worker.ended()).code, 0);
});
