// linod checkdata: checks the application's data now, and lists the problems.

import { Command } from 'commander';
import {
  type Column,
  ExitError,
  exitCodes,
  jsonOption,
  parseWholeNumber,
  printJson,
  printTable,
  runHere,
  type SiteFlags,
  say,
  siteOption,
  withSiteStore,
} from '../../src/commands/index.js';
import type { OpenProblem } from '../checks/problems.js';
import { counted } from '../shared/counted.js';
import { collect } from './collect.js';

interface CheckdataFlags extends SiteFlags {
  readonly json?: boolean;
  readonly fix: boolean;
  readonly list?: boolean;
  readonly checker: readonly string[];
  readonly limit: string;
}

export function checkdataCommand(): Command {
  return new Command('checkdata')
    .description('check the data with the registered checkers, and list the problems')
    .option('--checker <name>', 'only this checker; may be given several times', collect, [])
    .option('--fix', 'also fix fixable problems, as the nightly run does', false)
    .option('--list', 'list the known problems without a check')
    .option('--limit <n>', 'list at most n problems', '1000')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExit codes: 0 no problems, 3 problems.\n\nExample:\n  $ linod checkdata --checker orders_are_paid --fix',
    )
    .action(checkNow);
}

async function checkNow(flags: CheckdataFlags): Promise<void> {
  const limit = parseWholeNumber('--limit', flags.limit);
  const { checkData } = await import('../checks/check-data.js');
  const { openProblems } = await import('../checks/problems.js');
  await withSiteStore(flags, async (found) => {
    const wanted = { checkers: flags.checker.length === 0 ? null : flags.checker, fix: flags.fix };
    const { problems, total } = await runHere(found, async (ar) => {
      if (!flags.list) await checkData(ar, wanted);
      return await openProblems(ar, wanted.checkers, limit);
    });
    if (flags.json) printJson(problems);
    else printTable(columns, problems);
    if (total > problems.length) say(`and ${counted(total - problems.length, 'more problem')}`);
    if (total > 0) throw new ExitError(exitCodes.found);
    if (!flags.json) say('no problem');
  });
}

const columns: ReadonlyArray<Column<OpenProblem>> = [
  { title: 'checker', cell: (row) => row.checker },
  { title: 'owner', cell: (row) => row.owner },
  { title: 'message', cell: (row) => row.message, style: () => 'yellow' },
  { title: 'fixable', cell: (row) => (row.fixable ? 'yes' : 'no') },
  { title: 'since', cell: (row) => row.since.slice(0, 'yyyy-mm-dd'.length) },
];
