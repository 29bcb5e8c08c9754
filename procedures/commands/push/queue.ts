// linod push queue: what is on its way, and what became of what was sent.

import { Command } from 'commander';
import {
  type Column,
  jsonOption,
  parseWholeNumber,
  printJson,
  printTable,
  type SiteFlags,
  say,
  siteOption,
  withSiteStore,
} from '../../../src/commands.js';
import { UsageError } from '../../../src/index.js';
import type { ListedDelivery } from '../../push/list-deliveries.js';

interface QueueFlags extends SiteFlags {
  readonly json?: boolean;
  readonly status?: string;
  readonly limit: string;
}

export function queueCommand(): Command {
  return new Command('queue')
    .description('list deliveries, the newest first: to whom, how far, and what the push service said')
    .option('--status <status>', 'only these: pending, sending, sent or failed')
    .option('--limit <n>', 'how many at most', '20')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ linod push queue --status failed')
    .action(async (flags: QueueFlags) => {
      const limit = parseWholeNumber('--limit', flags.limit);
      const { deliveryStatuses, listDeliveries } = await import('../../push/list-deliveries.js');
      const status = deliveryStatuses.find((known) => known === flags.status);
      if (flags.status !== undefined && status === undefined) {
        throw new UsageError(
          `--status: expected ${deliveryStatuses.join(', ')}, got: ${JSON.stringify(flags.status)}`,
        );
      }
      await withSiteStore(flags, async ({ store }) => {
        const rows = await listDeliveries(store.db, { limit, status });
        if (flags.json) return printJson(rows);
        printTable(columns, rows);
        if (rows.length === 0) say('no push');
      });
    });
}

const columns: ReadonlyArray<Column<ListedDelivery>> = [
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
