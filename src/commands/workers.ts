// linod workers: which workers run.

import type { Command } from 'commander';
import { requireSite, type SiteJsonFlags, siteCommand, withStore } from './main.js';
import { printJson, printTable, say } from './output.js';
import { workerColumns, workerJson } from './views.js';

export function workersCommand(): Command {
  return siteCommand(
    'workers',
    'the workers that are running, and whether they hear',
    'Example:\n  $ linod workers',
  ).action(async (flags: SiteJsonFlags) => {
    const site = await requireSite(flags);
    const { Workers } = await import('../actors.js');
    const { localTime } = await import('../local-time.js');
    const workers = await withStore(site, (store) => Workers.rows({ site, store }));
    if (flags.json) return printJson(workers.map(workerJson));
    printTable(
      workerColumns((instant) => localTime(instant, site.settings.timezone), Date.now()),
      workers,
    );
    if (workers.length === 0) say(`no worker is running: runworker ${site.channel}`);
  });
}
