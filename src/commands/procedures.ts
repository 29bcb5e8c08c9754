// linod procedures: lists the registered procedures.

import type { Command } from 'commander';
import { afterRule, describe } from '../recurrence/recurrence.js';
import { type Procedure, Procedures } from '../rules/procedure.js';
import type { Site } from '../site/site.js';
import { loadProcedures, requireSite, type SiteJsonFlags, siteCommand } from './main.js';
import { type Column, printJson, printTable } from './views/output.js';

export function proceduresCommand(): Command {
  return siteCommand(
    'procedures',
    'list the registered procedures, their suggested times and their files',
    'Example:\n  $ linod procedures',
  ).action(async (flags: SiteJsonFlags) => {
    const site = await requireSite(flags);
    await loadProcedures(site);
    if (!flags.json) return printTable(columnsFor(site), [...Procedures]);
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

function columnsFor(site: Site): ReadonlyArray<Column<Procedure>> {
  return [
    { title: 'name', cell: ({ name }) => name },
    { title: 'when', cell: whenText },
    { title: 'registered at', cell: ({ source }) => sourceText(site, source) },
    { title: 'text', cell: ({ name, text }) => (text === name ? '' : text) },
  ];
}

function whenText({ suggestion, recurrence }: Procedure): string {
  return suggestion.runAfter === '' ? describe(recurrence, { brief: true }) : afterRule(suggestion.runAfter);
}

/** The file; of a file outside the site, such as a shipped procedure, its last two parts. */
function sourceText(site: Site, source: string): string {
  const short = site.shorten(source);
  return short.startsWith('/') ? `…/${short.split('/').slice(-2).join('/')}` : short;
}
