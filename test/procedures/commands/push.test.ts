import t from 'tap';
import { savePushSubscription } from '../../../procedures/index.js';
import { CommandShell } from '../../support/command-shell.js';
import { LiveSite } from '../../support/live-site.js';
import { openPushService, pushSettings } from '../../support/push.js';

t.test('linod push keys creates keys that work', async (t) => {
  const site = new LiveSite(t);
  const shell = await CommandShell.start(t, site.directory);
  const { code, stdout, stderr } = await shell.run('linod push keys');
  t.equal(code, 0);
  t.match(stdout, /^LINOD_VAPID_PUBLIC_KEY=[\w-]{87}\nLINOD_VAPID_PRIVATE_KEY=[\w-]{43}\n$/);
  t.match(stderr, /LINOD_VAPID_SUBJECT/);
  const keys: unknown = JSON.parse((await shell.run('linod push keys --json')).stdout);
  const file = { name: 'test', timezone: 'UTC', vapidSubject: 'mailto:ann@example.org', ...(keys as object) };
  site.write({ 'linod.config.json': JSON.stringify(file) });
  t.match(await shell.run('linod push send --all --title Hello'), {
    code: 1,
    stderr: 'there is no working subscription; list them with `linod push list`\n',
  });
});

t.test('linod push sends, lists deliveries, and removes a subscription', async (t) => {
  const { service, arrived } = await openPushService(t);
  const site = new LiveSite(t, { ...pushSettings, shippedProcedures: true });
  const shell = await CommandShell.start(t, site.directory);
  await shell.run('linod migrate');
  const { db } = await site.store();
  await savePushSubscription(db, 'ann', service.subscribe('ann'), { device: 'Firefox' });
  const gone = { ...service.subscribe('bob'), endpoint: `${service.origin}/push/gone` };
  await savePushSubscription(db, 'bob', gone);

  const listed = await shell.run('linod push list');
  t.match(listed.stdout.trimEnd().split('\n'), [
    /^id +user +push service +device +last sent +state$/,
    new RegExp(`^ 1  ann   ${service.origin}  Firefox  never      active$`),
    /^ 2 {2}bob/,
  ]);
  t.notMatch((await shell.run('linod push list --json --user ann')).stdout, /p256dh|auth|\/push\//);

  t.match(await shell.run('linod push send --user ann --title Hello --body World --urgency high'), {
    code: 0,
    stderr: 'push 1 is queued for 1 subscription; no worker runs: start one to send it\n',
  });
  t.match(await shell.run('linod push send --all --data {"title":"Hi"} --json'), {
    code: 0,
    stdout: '{"push":2,"deliveries":2}\n',
  });
  const worker = await site.startWorker('--initiate');
  await site.untilJobs('send_pending_push', 'the pushes are sent', () => arrived.length === 2);
  await site.logged(/2 pushes sent, 1 not/);
  const queue = JSON.parse((await shell.run('linod push queue --json')).stdout);
  t.match(queue, [
    { push: 2, user: null, subscription: 2, status: 'failed', answer: '404' },
    { push: 2, user: 'ann', subscription: 1, status: 'sent', attempts: 1 },
    { push: 1, user: 'ann', subscription: 1, status: 'sent', answer: '201' },
  ]);
  const failed = await shell.run('linod push queue --status failed');
  t.match(
    failed.stdout,
    /^push +user +subscription +status +attempts +next or done +answer\n +2 +\(gone\) +2 +failed/,
  );
  t.match(
    arrived.map(({ payload }) => JSON.parse(payload)),
    [{ title: 'Hello', body: 'World' }, { title: 'Hi' }],
  );

  t.match(await shell.run('linod push remove 1'), { code: 0, stderr: 'push subscription 1 is removed\n' });
  t.match(await shell.run('linod push remove 1'), {
    code: 2,
    stderr: 'linod: no push subscription 1; list them with `linod push list`\n',
  });
  t.match(await shell.run('linod push list'), { code: 0, stdout: '', stderr: 'no subscription\n' });
  worker.kill('SIGTERM');
  t.equal((await worker.ended()).code, 0);
});

t.test('wrong usage is an error of one line', async (t) => {
  const site = new LiveSite(t, { shippedProcedures: true });
  const shell = await CommandShell.start(t, site.directory);
  for (const [words, message] of [
    ['send --title Hello', 'expected either --user or --all'],
    ['send --all --user ann --title Hello', 'expected either --user or --all'],
    ['send --all', 'expected either --title, perhaps with --body and --url, or --data'],
    ['send --all --data [1]', '--data: expected a JSON object, got: [1]'],
    ['queue --status lost', '--status: expected pending, sending, sent, failed, got: "lost"'],
    [
      'send --all --title Hello',
      'the settings: push needs vapidSubject, vapidPublicKey, vapidPrivateKey; create a pair of keys with `linod push keys`',
    ],
  ] as const) {
    t.strictSame(await shell.run(`linod push ${words}`), {
      code: 2,
      stdout: '',
      stderr: `linod: ${message}\n`,
    });
  }
});
