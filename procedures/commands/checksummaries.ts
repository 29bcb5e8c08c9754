// linod checksummaries: recomputes the application's summaries now.

import { Command } from 'commander';
import {
  type Column,
  ExitError,
  exitCodes,
  jsonOption,
  printJson,
  printTable,
  runHere,
  type SiteFlags,
  siteOption,
  withSiteStore,
} from '../../src/commands/index.js';
import type { WaitingKeys } from '../summaries/check-summaries.js';
import { collect } from './collect.js';

interface ChecksummariesFlags extends SiteFlags {
  readonly json?: boolean;
  readonly all: boolean;
  readonly summary: readonly string[];
}

export function checksummariesCommand(): Command {
  return new Command('checksummaries')
    .description('recompute outdated keys of the registered summaries, and list those that failed')
    .option('--summary <name>', 'only this summary; may be given several times', collect, [])
    .option('--all', 'recompute all keys, not only outdated ones', false)
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExit codes: 0 all keys are computed, 3 some keys failed or could not be read.\n\n' +
        'Example:\n  $ linod checksummaries --summary turnovers --all',
    )
    .action(computeNow);
}

async function computeNow(flags: ChecksummariesFlags): Promise<void> {
  const { areKeysUnread, checkSummaries, waitingKeys } = await import('../summaries/check-summaries.js');
  await withSiteStore(flags, async (found) => {
    const names = flags.summary.length === 0 ? null : flags.summary;
    const { waiting, areUnread } = await runHere(found, async (ar) => {
      await checkSummaries(ar, { summaries: names, all: flags.all });
      return { waiting: await waitingKeys(ar, names), areUnread: await areKeysUnread(ar, names) };
    });
    if (flags.json) printJson(waiting);
    else printTable(columns, waiting);
    if (waiting.length > 0 || areUnread) throw new ExitError(exitCodes.found);
  });
}

const columns: ReadonlyArray<Column<WaitingKeys>> = [
  { title: 'summary', cell: (row) => row.summary },
  { title: 'keys', cell: (row) => String(row.keys), align: 'right' },
  { title: 'failed', cell: (row) => String(row.failed), align: 'right' },
  { title: 'an error', cell: (row) => row.lastError ?? '', style: () => 'yellow' },
];
