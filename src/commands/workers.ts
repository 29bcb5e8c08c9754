// linod workers: lists the running workers.

import type { Command } from 'commander';
import { Workers } from '../actors/tables.js';
import { localTime } from '../recurrence/time/local-time.js';
import { requireSite, type SiteJsonFlags, siteCommand, withStore } from './main.js';
import { printList } from './views/output.js';
import { workerColumns, workerJson } from './views/tables.js';

export function workersCommand(): Command {
  return siteCommand(
    'workers',
    'list the running workers and the state of their listeners',
    'Example:\n  $ linod workers',
  ).action(async (flags: SiteJsonFlags) => {
    const site = await requireSite(flags);
    const workers = await withStore(site, (store) => Workers.rows({ site, store }));
    printList(flags, workers, {
      columns: workerColumns((instant) => localTime(instant, site.settings.timezone), Date.now()),
      json: workerJson,
      none: `no worker is running: runworker ${site.channel}`,
    });
  });
}
