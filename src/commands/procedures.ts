// linod procedures: what is registered.

import { Command } from 'commander';
import { Procedures } from '../procedure.js';
import { jsonOption, requireSite, type SiteFlags, siteOption } from './main.js';
import { print, printJson } from './output.js';

export function proceduresCommand(): Command {
  return new Command('procedures')
    .description('the registered procedures, as a table of value, name and text')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ linod procedures')
    .action(async (flags: SiteFlags & { json?: boolean }) => {
      const site = await requireSite(flags);
      await site.loadProcedures();
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
