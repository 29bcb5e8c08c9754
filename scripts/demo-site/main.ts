// The demo site at work: its worker, a mail server and a push service, and what to type next.

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import webPush from 'web-push';
import { say, styled } from '../../src/commands/views/output.js';
import { MailCatcher } from './mail-catcher.js';
import { PushService } from './push-service.js';
import { DemoSite } from './site.js';

/** The procedures in an order in which each finds the results of the ones before. */
const tour = [
  'play_customers',
  'play_customers',
  'play_customers',
  'play_customers',
  'event_notification_scheduler',
  'checksummaries',
  'checkdata',
  'send_pending_emails_often',
  'send_pending_push',
  'send_pending_emails_daily',
  'clear_seen_messages',
  'clear_too_old_job_history',
];

const { once, dir } = parseFlags();
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());

let mails = 0;
let pushes = 0;
let catcher: MailCatcher | undefined;
const service = await PushService.open({
  onPush: ({ to, payload }) => {
    pushes++;
    say(`${styled('magenta', '  push │', process.stderr)} to ${to}: ${titleOf(payload)}`);
  },
});
const site = await DemoSite.make(dir, async (directory) => {
  catcher = await MailCatcher.open(join(directory, 'mails'), ({ to, subject, file }) => {
    mails++;
    say(`${styled('green', '  mail │', process.stderr)} to ${to.join(', ')}: ${subject} (${file})`);
  });
  const { publicKey, privateKey } = webPush.generateVAPIDKeys();
  return {
    LINOD_MAIL_URL: catcher.url,
    LINOD_MAIL_FROM: 'Demo shop <shop@example.org>',
    LINOD_VAPID_SUBJECT: 'mailto:shop@example.org',
    LINOD_VAPID_PUBLIC_KEY: publicKey,
    LINOD_VAPID_PRIVATE_KEY: privateKey,
    LINOD_PUSH_TO_PRIVATE_ADDRESSES: 'true',
  };
});
try {
  await show();
} catch (error) {
  if (!stop.signal.aborted) {
    process.exitCode = 1;
    say(`the demo stopped: ${error instanceof Error ? error.message : String(error)}`);
  }
} finally {
  await site.close();
  await catcher?.close();
  service.close();
  say(
    dir === undefined
      ? 'everything has ended, nothing is left behind'
      : `everything has ended, the site is in ${dir}`,
  );
}

async function show(): Promise<void> {
  await site.subscribe(service, ['ann', 'bob']);
  const worker = site.start('runworker', 'linod_demo', '--initiate');
  worker.show(styled('cyan', 'worker │ '));
  await worker.printed(/is listening/);
  await site.run(once ? tour : tour.slice(0, 5), stop.signal);
  if (once) return await showResults();
  sayWhatToType(await site.writeEnvironment(), await site.ruleOf('send_pending_emails_daily'));
  const stopped = new Promise<void>((resolve) => {
    if (stop.signal.aborted) resolve();
    else stop.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const died = worker.end.then((code) => {
    throw new Error(`the worker ended by itself, with ${code}`);
  });
  // A worker that ends because of the stop is no error.
  await Promise.race([stopped, died]);
  died.catch(() => undefined);
}

async function showResults(): Promise<void> {
  for (const words of [['checkdata', '--list'], ['push', 'queue'], ['status']]) {
    say(`\n  $ linod ${words.join(' ')}`);
    const child = site.start('linod', ...words);
    child.show('  ');
    await child.ended();
  }
  say(`\n${mails} mails and ${pushes} pushes have arrived`);
  if (mails === 0 || pushes === 0 || service.faults.length > 0) {
    throw new Error(`expected mails and pushes, and no fault; ${service.faults.join('; ')}`);
  }
}

function sayWhatToType(environment: string, digests: number): void {
  const lines = [
    ['linod', 'the rules, and when they run next'],
    ['linod checkdata', 'what is wrong with the data; --fix repairs what can be'],
    [`linod rule ${digests} run --wait`, "the customers' daily digests, now"],
    [
      'linod push send --user ann --title Hello',
      "a notification in Ann's browser; linod push queue shows it",
    ],
    ['linod jobs', 'what has run, and how it ended'],
    ['linod log tail -f', 'lino.log as it grows'],
  ] as const;
  say(`\nThe site is in ${site.directory}: read its files, and change them. In another terminal:\n`);
  say(`  . ${environment}`);
  for (const [words, text] of lines) say(`  ${words.padEnd(48)} ${text}`);
  say('\nMails and pushes are shown here as they arrive. Ctrl-C ends all of it.\n');
}

function titleOf(payload: string): string {
  const data: unknown = JSON.parse(payload);
  return typeof data === 'object' && data !== null && 'title' in data ? String(data.title) : payload;
}

function parseFlags(): { once: boolean; dir: string | undefined } {
  try {
    const { values } = parseArgs({ options: { once: { type: 'boolean' }, dir: { type: 'string' } } });
    return { once: values.once ?? false, dir: values.dir };
  } catch (error) {
    say(`demo-site: ${error instanceof Error ? error.message : String(error)}`);
    say('usage: npm run demo-site [-- --once] [-- --dir DIR]');
    process.exit(2);
  }
}
