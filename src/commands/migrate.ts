// linod migrate: brings the database up to date.

import { Command } from 'commander';
import { jsonOption, requireSite, type SiteFlags, siteOption, withStore } from './main.js';
import { print, printJson, say } from './output.js';

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('bring the database up to date; every command and worker does that by itself when it starts')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ linod migrate')
    .action(async (flags: SiteFlags & { json?: boolean }) => {
      const site = await requireSite(flags);
      await site.loadProcedures();
      await withStore(site, async (store) => {
        if (flags.json) return printJson({ database: store.name, migrated: store.migrated });
        for (const name of store.migrated) print(name);
        if (store.migrated.length === 0) say(`${site.shorten(store.name)} is up to date`);
      });
    });
}
