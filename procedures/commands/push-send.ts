// linod push send: queues a push, and wakes whoever sends it.

import { Command, Option } from 'commander';
import {
  ExitError,
  exitCodes,
  jsonOption,
  parseWholeNumber,
  person,
  printJson,
  type SiteFlags,
  type SiteStore,
  say,
  sayIfUnwoken,
  siteOption,
  wakeWorkers,
  withSiteStore,
} from '../../src/commands.js';
import { openTasks, RunJob, UsageError } from '../../src/index.js';
import { counted } from '../counted.js';
import type { NewPush } from '../push/queue-push.js';

interface SendFlags extends SiteFlags {
  readonly json?: boolean;
  readonly user?: string;
  readonly all?: boolean;
  readonly title?: string;
  readonly body?: string;
  readonly url?: string;
  readonly data?: string;
  readonly urgency: 'very-low' | 'low' | 'normal' | 'high';
  readonly topic?: string;
  readonly ttl: string;
}

export function sendCommand(): Command {
  return new Command('send')
    .description('send a push to the browsers of a user, or of all users')
    .option('--user <user>', 'to whom, as the application names its users')
    .option('--all', 'to all users')
    .option('--title <text>', 'what the notification says first')
    .option('--body <text>', 'what it says below')
    .option('--url <url>', 'what a click opens')
    .option('--data <json>', 'an object instead, as the service worker of the application expects it')
    .addOption(
      new Option('--urgency <urgency>', 'how urgent it is for a device that saves its battery')
        .choices(['very-low', 'low', 'normal', 'high'])
        .default('normal'),
    )
    .option('--topic <topic>', 'it takes the place of an earlier one that was not delivered yet')
    .option('--ttl <seconds>', 'how long it is of use', '86400')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExit codes: 0 it is on its way, 1 there is nobody to send it to.\n\nExample:\n  $ linod push send --user ann --title "Order 17 was paid" --url /orders/17',
    )
    .action(send);
}

async function send(flags: SendFlags): Promise<void> {
  const push = pushOf(flags);
  const { queuePush } = await import('../push/queue-push.js');
  const { vapidDetails } = await import('../push/web-push.js');
  await withSiteStore(flags, async (found) => {
    // What could never be sent is better told now than by the log.
    vapidDetails(found.site.settings);
    const { id, deliveries } = await queuePush(found.store.db, push);
    const isWoken = deliveries > 0 && (await wake(found));
    if (flags.json) printJson({ push: id, deliveries });
    if (deliveries === 0) {
      const who = push.to === null ? 'there is' : `${push.to} has`;
      say(`${who} no subscription that works; \`linod push list\` lists them`);
      throw new ExitError(exitCodes.failed);
    }
    if (flags.json) return;
    const how = isWoken ? '' : '; no worker runs: it is sent when one is started';
    say(`push ${id} is on its way to ${counted(deliveries, 'subscription')}${how}`);
  });
}

/** @throws UsageError (`LINOD_ERR_USAGE`) */
function pushOf(flags: SendFlags): NewPush {
  const { user, all = false, title, body, url, data, urgency, topic } = flags;
  if ((user === undefined) === !all) throw new UsageError('expected either --user or --all');
  if ((title === undefined) === (data === undefined)) {
    throw new UsageError('expected either --title, perhaps with --body and --url, or --data');
  }
  return {
    to: user ?? null,
    data: data === undefined ? { title, body, url } : parseData(data),
    urgency,
    topic,
    ttlSeconds: parseWholeNumber('--ttl', flags.ttl),
  };
}

function parseData(text: string): Record<string, unknown> {
  try {
    const data: unknown = JSON.parse(text);
    if (typeof data === 'object' && data !== null && !Array.isArray(data)) return { ...data };
  } catch {
    // told below
  }
  throw new UsageError(`--data: expected a JSON object, got: ${text}`);
}

/** Asks for a run of the procedure that sends. @returns whether there is a worker */
async function wake({ site, store }: SiteStore): Promise<boolean> {
  const context = { site, store, user: person() };
  const rule = (await openTasks(context).rules.list()).find(
    ({ procedure }) => procedure === 'send_pending_push',
  );
  if (rule === undefined) return await wakeWorkers(site, store);
  const asked = await RunJob.request(context, rule.id);
  sayIfUnwoken(asked);
  return asked.isWorking;
}
