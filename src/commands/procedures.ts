// linod procedures: what is registered.

import type { Command } from 'commander';
import { Procedures } from '../procedure.js';
import { loadProcedures, requireSite, type SiteJsonFlags, siteCommand } from './main.js';
import { print, printJson } from './output.js';

export function proceduresCommand(): Command {
  return siteCommand(
    'procedures',
    'the registered procedures, as a table of value, name and text',
    'Example:\n  $ linod procedures',
  ).action(async (flags: SiteJsonFlags) => {
    const site = await requireSite(flags);
    await loadProcedures(site);
    if (!flags.json) return print(Procedures.toString());
    printJson(
      Array.from(Procedures, ({ value, name, text, suggestion, source }) => ({
        value,
        name,
        text,
        ...suggestion,
        source,
      })),
    );
  });
}
