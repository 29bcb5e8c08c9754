// linod rules: lists all job rules, and adjusts them to the procedures.

import type { Command } from 'commander';
import { openTasks, SetupTasks } from '../../actors/tables.js';
import { Procedures } from '../../rules/procedure.js';
import {
  loadProcedures,
  person,
  refuseUnknownCommand,
  requireSite,
  type SiteJsonFlags,
  siteCommand,
  withStore,
} from '../main.js';
import { noRulesYet } from '../status.js';
import { print, printJson, printList, say } from '../views/output.js';
import { ruleColumns, ruleJson } from '../views/tables.js';
import { wakeWorkers } from '../wake.js';
import { applyCommand, exportCommand, planCommand } from './rules-file.js';

export function rulesCommand(): Command {
  const command = siteCommand(
    'rules',
    'list all job rules',
    'Example:\n  $ linod rules\n  $ linod rules sync',
  )
    .option('--all', 'also rules whose procedure is gone')
    .allowExcessArguments()
    .action(async (flags: SiteJsonFlags & { all?: boolean }, self: Command) => {
      refuseUnknownCommand(self);
      const site = await requireSite(flags);
      // Keeps only the printed text in memory, because a site may have thousands of rules.
      const json: unknown[] = [];
      const rows: string[][] = [];
      await withStore(site, async (store) => {
        const { rules } = await openTasks({ site, store });
        for await (const rule of rules.each({ removed: flags.all ?? false })) {
          if (flags.json) json.push(ruleJson(rule));
          else rows.push(ruleColumns.map(({ cell }) => cell(rule)));
        }
      });
      if (flags.json) return printJson(json);
      const columns = ruleColumns.map(({ style: _, ...column }, i) => ({
        ...column,
        cell: (row: string[]) => row[i] ?? '',
      }));
      printList({}, rows, { columns, none: noRulesYet });
    });
  for (const below of [syncCommand(), exportCommand(), planCommand(), applyCommand()])
    command.addCommand(below);
  return command;
}

function syncCommand(): Command {
  return siteCommand(
    'sync',
    'adjust the rules to the procedures, as a worker does at its start',
    'Example:\n  $ linod rules sync',
  ).action(async (flags: SiteJsonFlags) => {
    const site = await requireSite(flags);
    const isComplete = await loadProcedures(site);
    await withStore(site, async (store) => {
      const report = await SetupTasks.run({ site, store, user: person() }, Procedures, { isComplete });
      await wakeWorkers(site, store);
      if (flags.json) return printJson(report);
      const done = Object.entries<readonly string[]>({ ...report }).flatMap(([kind, names]) =>
        names.map((name) => `${kind} ${name}`),
      );
      for (const line of done) print(line);
      if (done.length === 0) say('nothing to do: the rules fit the procedures');
    });
  });
}
