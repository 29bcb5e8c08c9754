// linod doctor: finds what is wrong with a site, and says what to do.

import type { Command } from 'commander';
import type { Check, CheckResult } from '../doctor/check.js';
import { printable } from '../log/format/unsafe.js';
import { findSiteDirectory } from '../site/find.js';
import { ExitError, exitCodes, loadSiteAsOwner, type SiteJsonFlags, siteCommand } from './main.js';
import { type Column, print, printJson, printTable, say, styled } from './views/output.js';

export function doctorCommand(): Command {
  return siteCommand(
    'doctor',
    'check the site and say what to do about what is wrong',
    `It changes nothing. Checks that could not run are listed with the reason on standard error.

Exit codes: 0 nothing was found, 3 something was found.

Example:
  $ linod doctor
  $ linod doctor --json | jq '.checks[] | select(.status == "found")'`,
  )
    .option('--list', 'list all checks')
    .action(async (flags: SiteJsonFlags & { readonly list?: boolean }) => {
      // Only this command needs all of that, so the others start faster.
      const { allChecks, runChecks } = await import('../doctor/checks.js');
      if (flags.list) {
        listChecks(allChecks, flags);
        return;
      }
      const { gatherFacts } = await import('../doctor/facts.js');
      const directory = findSiteDirectory(flags.site);
      const checks = runChecks(await gatherFacts(() => loadSiteAsOwner(directory)));
      if (flags.json) printJson({ checks });
      else printResults(checks);
      if (checks.some(isFinding)) throw new ExitError(exitCodes.found);
    });
}

function listChecks(allChecks: readonly Check[], { json }: SiteJsonFlags): void {
  const checks = allChecks.map(({ id, about, advice }) => ({ id, about, advice }));
  const columns: ReadonlyArray<Column<Pick<Check, 'id' | 'about'>>> = [
    { title: 'check', cell: ({ id }) => id },
    { title: 'looks at', cell: ({ about }) => about },
  ];
  if (json) printJson(checks);
  else printTable(columns, checks);
}

function printResults(checks: readonly CheckResult[]): void {
  for (const { id, found, advice } of checks.filter(isFinding)) {
    print(styled('red', id));
    for (const text of found) print(`  ${printable(text)}`);
    print(`  → ${advice}`);
  }
  const skipped = checks.filter(({ status }) => status === 'not run');
  for (const why of new Set(skipped.flatMap(({ found }) => found))) {
    const ids = skipped.filter(({ found }) => found.includes(why)).map(({ id }) => id);
    say(`not run, since ${printable(why)}: ${ids.join(', ')}`);
  }
  say(`${checks.length - skipped.length} checks ran, ${checks.filter(isFinding).length} found something`);
}

function isFinding({ status }: CheckResult): boolean {
  return status === 'found' || status === 'failed';
}
