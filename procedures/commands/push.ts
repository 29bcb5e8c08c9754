// linod push: sends pushes to users' browsers, and manages their subscriptions.

import { Command, Option } from 'commander';
import {
  type Column,
  ExitError,
  exitCodes,
  jsonOption,
  parseWholeNumber,
  person,
  print,
  printJson,
  printTable,
  type SiteFlags,
  type SiteStore,
  say,
  sayIfUnwoken,
  siteOption,
  wakeWorkers,
  withSiteStore,
} from '../../src/commands/index.js';
import { openTasks, RunJob, UsageError } from '../../src/index.js';
import type { ListedDelivery } from '../push/list-deliveries.js';
import type { NewPush } from '../push/queue-push.js';
import { counted } from '../shared/counted.js';
import type { PushSubscriptionRow } from '../store/tables.js';

export function pushCommand(): Command {
  const push = new Command('push')
    .description("send pushes to users' browsers, and manage their subscriptions: see docs/guides/push.md")
    .addHelpText(
      'after',
      '\nExample:\n  $ linod push keys\n  $ linod push send --user ann --title "Order 17 was paid"\n' +
        '  $ linod push queue',
    );
  for (const command of [sendCommand(), queueCommand(), listCommand(), removeCommand(), keysCommand()]) {
    push.addCommand(command);
  }
  return push;
}

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

function sendCommand(): Command {
  return new Command('send')
    .description('send a push to the browsers of a user, or of all users')
    .option('--user <user>', 'the recipient, as the application names its users')
    .option('--all', 'send it to all users')
    .option('--title <text>', 'the title of the notification')
    .option('--body <text>', 'the text below the title')
    .option('--url <url>', 'the page that a click opens')
    .option('--data <json>', 'a JSON object for the service worker of the application, instead of a title')
    .addOption(
      new Option('--urgency <urgency>', 'the urgency, for devices that save battery')
        .choices(['very-low', 'low', 'normal', 'high'])
        .default('normal'),
    )
    .option('--topic <topic>', 'replace an undelivered push with the same topic')
    .option('--ttl <seconds>', 'the lifetime in seconds', '86400')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExit codes: 0 queued, 1 no subscription.\n\n' +
        'Example:\n  $ linod push send --user ann --title "Order 17 was paid" --url /orders/17',
    )
    .action(send);
}

async function send(flags: SendFlags): Promise<void> {
  const push = pushOf(flags);
  const { queuePush } = await import('../push/queue-push.js');
  const { vapidDetails } = await import('../push/web-push.js');
  await withSiteStore(flags, async (found) => {
    // Fails here rather than in the log if the keys are missing.
    vapidDetails(found.site.settings);
    const { id, deliveries } = await queuePush(found.store.db, push);
    const isWoken = deliveries > 0 && (await wake(found));
    if (flags.json) printJson({ push: id, deliveries });
    if (deliveries === 0) {
      const who = push.to === null ? 'there is' : `${push.to} has`;
      say(`${who} no working subscription; list them with \`linod push list\``);
      throw new ExitError(exitCodes.failed);
    }
    if (flags.json) return;
    const how = isWoken ? '' : '; no worker runs: start one to send it';
    say(`push ${id} is queued for ${counted(deliveries, 'subscription')}${how}`);
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
    // Reported below.
  }
  throw new UsageError(`--data: expected a JSON object, got: ${text}`);
}

/** Requests a run of the procedure that sends. @returns whether there is a worker */
async function wake({ site, store }: SiteStore): Promise<boolean> {
  const context = { site, store, user: person() };
  const rule = (await (await openTasks(context)).rules.list()).find(
    ({ procedure }) => procedure === 'send_pending_push',
  );
  if (rule === undefined) return await wakeWorkers(site, store);
  const asked = await RunJob.request(context, rule.id);
  sayIfUnwoken(asked);
  return asked.isWorking;
}

interface QueueFlags extends SiteFlags {
  readonly json?: boolean;
  readonly status?: string;
  readonly limit: string;
}

function queueCommand(): Command {
  return new Command('queue')
    .description('list deliveries, the newest first, with the answers of the push services')
    .option('--status <status>', 'only deliveries with this status: pending, sending, sent or failed')
    .option('--limit <n>', 'list at most n deliveries', '20')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ linod push queue --status failed')
    .action(async (flags: QueueFlags) => {
      const limit = parseWholeNumber('--limit', flags.limit);
      const { deliveryStatuses, listDeliveries } = await import('../push/list-deliveries.js');
      const status = deliveryStatuses.find((known) => known === flags.status);
      if (flags.status !== undefined && status === undefined) {
        throw new UsageError(
          `--status: expected ${deliveryStatuses.join(', ')}, got: ${JSON.stringify(flags.status)}`,
        );
      }
      await withSiteStore(flags, async ({ store }) => {
        const rows = await listDeliveries(store.db, { limit, status });
        if (flags.json) return printJson(rows);
        printTable(deliveryColumns, rows);
        if (rows.length === 0) say('no push');
      });
    });
}

const deliveryColumns: ReadonlyArray<Column<ListedDelivery>> = [
  { title: 'push', cell: (row) => String(row.push), align: 'right' },
  { title: 'user', cell: (row) => row.user ?? '(gone)' },
  { title: 'subscription', cell: (row) => String(row.subscription), align: 'right' },
  {
    title: 'status',
    cell: (row) => row.status,
    style: (row) => (row.status === 'failed' ? 'red' : undefined),
  },
  { title: 'attempts', cell: (row) => String(row.attempts), align: 'right', isSpare: true },
  { title: 'next or done', cell: (row) => (row.done ?? row.next ?? '').slice(0, 19).replace('T', ' ') },
  { title: 'answer', cell: (row) => row.answer ?? '' },
];

interface ListFlags extends SiteFlags {
  readonly json?: boolean;
  readonly user?: string;
}

function listCommand(): Command {
  return new Command('list')
    .description('list the subscriptions of a user, or of all users')
    .option('--user <user>', 'only the subscriptions of this user')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ linod push list --user ann')
    .action(async (flags: ListFlags) => {
      const { pushSubscriptions } = await import('../push/subscriptions.js');
      await withSiteStore(flags, async ({ store }) => {
        const rows = await pushSubscriptions(store.db, flags.user);
        if (flags.json) return printJson(rows.map(shown));
        printTable(subscriptionColumns, rows);
        if (rows.length === 0) say('no subscription');
      });
    });
}

/**
 * The public part: with the keys, and nearly with the whole endpoint, anybody could send in the site's name.
 */
function shown({ id, user, origin, device, created_at, sent_at, state, problem }: PushSubscriptionRow) {
  return {
    id,
    user,
    service: origin,
    device,
    created: instant(created_at),
    sent: instant(sent_at),
    state,
    problem,
  };
}

function instant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

const subscriptionColumns: ReadonlyArray<Column<PushSubscriptionRow>> = [
  { title: 'id', cell: (row) => String(row.id), align: 'right' },
  { title: 'user', cell: (row) => row.user },
  { title: 'push service', cell: (row) => row.origin },
  { title: 'device', cell: (row) => row.device ?? '' },
  { title: 'last sent', cell: (row) => instant(row.sent_at)?.slice(0, 16).replace('T', ' ') ?? 'never' },
  {
    title: 'state',
    cell: (row) => (row.problem === null ? row.state : `${row.state}: ${row.problem}`),
    style: (row) => (row.state === 'broken' ? 'red' : undefined),
  },
];

function removeCommand(): Command {
  return new Command('remove')
    .description('remove a subscription; the browser may subscribe again')
    .argument('<id>', 'a number from `linod push list`')
    .addOption(siteOption())
    .addHelpText('after', '\nExample:\n  $ linod push remove 12')
    .action(async (text: string, flags: SiteFlags) => {
      const id = parseWholeNumber('the number of a subscription', text);
      const { removePushSubscription } = await import('../push/subscriptions.js');
      await withSiteStore(flags, async ({ store }) => {
        if (!(await removePushSubscription(store.db, id))) {
          throw new UsageError(`no push subscription ${id}; list them with \`linod push list\``);
        }
        say(`push subscription ${id} is removed`);
      });
    });
}

function keysCommand(): Command {
  return new Command('keys')
    .description('print a new pair of VAPID keys as environment variables; store nothing')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nBrowsers that subscribed with other keys have to subscribe again.\n\n' +
        'Example:\n  $ linod push keys >> .env',
    )
    .action(async ({ json }: { json?: boolean }) => {
      const { loadWebPush } = await import('../push/web-push.js');
      const { publicKey, privateKey } = (await loadWebPush()).generateKeys();
      if (json) return printJson({ vapidPublicKey: publicKey, vapidPrivateKey: privateKey });
      print(`LINOD_VAPID_PUBLIC_KEY=${publicKey}`);
      print(`LINOD_VAPID_PRIVATE_KEY=${privateKey}`);
      say('also set LINOD_VAPID_SUBJECT to mailto: and your address, for the push services');
    });
}
