// linod push: sends to users' browsers, and looks after their subscriptions.

import { Command } from 'commander';
import {
  type Column,
  jsonOption,
  parseWholeNumber,
  print,
  printJson,
  printTable,
  type SiteFlags,
  say,
  siteOption,
  withSiteStore,
} from '../../src/commands.js';
import { UsageError } from '../../src/index.js';
import type { ListedDelivery } from '../push/list-deliveries.js';
import type { PushSubscriptionRow } from '../store/tables.js';
import { sendCommand } from './push-send.js';

export function pushCommand(): Command {
  const push = new Command('push')
    .description("send to users' browsers, and look after their subscriptions: see docs/push.md")
    .addHelpText(
      'after',
      '\nExample:\n  $ linod push keys\n  $ linod push send --user ann --title "Order 17 was paid"\n  $ linod push queue',
    );
  for (const command of [sendCommand(), queueCommand(), listCommand(), removeCommand(), keysCommand()]) {
    push.addCommand(command);
  }
  return push;
}

interface QueueFlags extends SiteFlags {
  readonly json?: boolean;
  readonly status?: string;
  readonly limit: string;
}

function queueCommand(): Command {
  return new Command('queue')
    .description('list deliveries, the newest first: to whom, how far, and what the push service said')
    .option('--status <status>', 'only these: pending, sending, sent or failed')
    .option('--limit <n>', 'how many at most', '20')
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
  { title: 'attempts', cell: (row) => String(row.attempts), align: 'right' },
  { title: 'next or done', cell: (row) => (row.done ?? row.next ?? '').slice(0, 19).replace('T', ' ') },
  { title: 'answer', cell: (row) => row.answer ?? '' },
];

interface ListFlags extends SiteFlags {
  readonly json?: boolean;
  readonly user?: string;
}

function listCommand(): Command {
  return new Command('list')
    .description('list the subscriptions of a user, or of all')
    .option('--user <user>', "only this user's")
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

/** What people may see: with the keys one could send in the site's name, with the whole endpoint nearly. */
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
    .description('forget a subscription; the browser may subscribe anew')
    .argument('<id>', 'its number, as `linod push list` shows it')
    .addOption(siteOption())
    .addHelpText('after', '\nExample:\n  $ linod push remove 12')
    .action(async (text: string, flags: SiteFlags) => {
      const id = parseWholeNumber('the number of a subscription', text);
      const { removePushSubscription } = await import('../push/subscriptions.js');
      await withSiteStore(flags, async ({ store }) => {
        if (!(await removePushSubscription(store.db, id))) {
          throw new UsageError(`no push subscription ${id}; \`linod push list\` lists them`);
        }
        say(`push subscription ${id} is forgotten`);
      });
    });
}

function keysCommand(): Command {
  return new Command('keys')
    .description('make a new pair of VAPID keys, as environment variables; nothing is stored')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nWho has subscribed with other keys has to subscribe anew.\n\nExample:\n  $ linod push keys >> .env',
    )
    .action(async ({ json }: { json?: boolean }) => {
      const { loadWebPush } = await import('../push/web-push.js');
      const { publicKey, privateKey } = (await loadWebPush()).generateKeys();
      if (json) return printJson({ vapidPublicKey: publicKey, vapidPrivateKey: privateKey });
      print(`LINOD_VAPID_PUBLIC_KEY=${publicKey}`);
      print(`LINOD_VAPID_PRIVATE_KEY=${privateKey}`);
      say('set LINOD_VAPID_SUBJECT, too: mailto: and an address at which push services may reach you');
    });
}
