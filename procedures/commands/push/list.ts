// linod push list: where users can be reached.

import { Command } from 'commander';
import {
  type Column,
  jsonOption,
  printJson,
  printTable,
  type SiteFlags,
  say,
  siteOption,
  withSiteStore,
} from '../../../src/commands.js';
import type { PushSubscriptionRow } from '../../store/tables.js';

interface ListFlags extends SiteFlags {
  readonly json?: boolean;
  readonly user?: string;
}

export function listCommand(): Command {
  return new Command('list')
    .description('list the subscriptions of a user, or of all')
    .option('--user <user>', "only this user's")
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ linod push list --user ann')
    .action(async (flags: ListFlags) => {
      const { pushSubscriptions } = await import('../../push/subscriptions.js');
      await withSiteStore(flags, async ({ store }) => {
        const rows = await pushSubscriptions(store.db, flags.user);
        if (flags.json) return printJson(rows.map(shown));
        printTable(columns, rows);
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

const columns: ReadonlyArray<Column<PushSubscriptionRow>> = [
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
