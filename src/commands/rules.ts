// linod rules: all job rules, adjusting them to the procedures, and carrying them over in a file.

import type { Command } from 'commander';
import { Procedures } from '../procedure.js';
import {
  jsonOption,
  person,
  refuseUnknownCommand,
  requireSite,
  type SiteJsonFlags,
  siteCommand,
  siteOption,
  withStore,
} from './main.js';
import { print, printJson, printTable, say } from './output.js';
import { applyCommand, exportCommand, planCommand } from './rules-file.js';
import { noRulesYet } from './status.js';
import { ruleColumns, ruleJson } from './views.js';
import { wakeWorkers } from './wake.js';

export function rulesCommand(): Command {
  const command = siteCommand('rules', 'all job rules', 'Example:\n  $ linod rules\n  $ linod rules sync')
    .option('--all', 'also those whose procedure is gone')
    .allowExcessArguments()
    .action(async (flags: SiteJsonFlags & { all?: boolean }, self: Command) => {
      refuseUnknownCommand(self);
      const site = await requireSite(flags);
      const { JobRules } = await import('../actors.js');
      const list = await withStore(site, (store) =>
        JobRules.rows({ site, store }, { removed: flags.all ?? false }),
      );
      if (flags.json) printJson(list.map((rule) => ruleJson(rule)));
      else {
        printTable(ruleColumns, list);
        if (list.length === 0) say(noRulesYet);
      }
    });
  command
    .command('sync')
    .description('adjust the rules to the procedures, as a worker does when it starts')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ linod rules sync')
    .action(async (flags: SiteJsonFlags) => {
      const site = await requireSite(flags);
      await site.loadProcedures();
      const { SetupTasks } = await import('../actors.js');
      await withStore(site, async (store) => {
        const report = await SetupTasks.run({ site, store, user: person() }, Procedures);
        await wakeWorkers(site, store);
        if (flags.json) return printJson(report);
        for (const [kind, names] of Object.entries(report))
          for (const name of names) print(`${kind} ${name}`);
        if (Object.values(report).every((names) => names.length === 0))
          say('the rules fit the procedures; nothing to do');
      });
    });
  for (const further of [exportCommand(), planCommand(), applyCommand()]) command.addCommand(further);
  return command;
}
