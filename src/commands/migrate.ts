// linod migrate: brings the database up to date.

import type { Command } from 'commander';
import { type SiteJsonFlags, siteCommand, withSiteStore } from './main.js';
import { print, printJson, say } from './views/output.js';

export function migrateCommand(): Command {
  return siteCommand(
    'migrate',
    'bring the database up to date; commands and workers also do it when they start',
    'Example:\n  $ linod migrate',
  ).action(async (flags: SiteJsonFlags) => {
    await withSiteStore(flags, async ({ site, store }) => {
      if (flags.json) return printJson({ database: store.name, migrated: store.migrated });
      for (const name of store.migrated) print(name);
      if (store.migrated.length === 0) say(`${site.shorten(store.name)} is up to date`);
    });
  });
}
