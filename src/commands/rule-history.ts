// linod rule N history: what was changed of a rule, when, by whom and how.

import { changesText } from '../tasks/field-changes.js';
import type { JobRule } from '../tasks/rule.js';
import type { RuleRevision } from '../tasks/rule-history.js';
import { type Column, printJson, printTable } from './output.js';

/** Prints all changes of a rule, the oldest first. */
export function showHistory(rule: JobRule, revisions: readonly RuleRevision[], asJson: boolean): void {
  if (asJson) printJson(revisions);
  else printTable(historyColumns(rule), revisions);
}

function historyColumns(rule: JobRule): ReadonlyArray<Column<RuleRevision>> {
  return [
    { title: 'change', cell: ({ revision }) => String(revision), align: 'right' },
    { title: 'when', cell: ({ at }) => rule.localTime(at) },
    { title: 'who', cell: ({ by }) => by ?? '' },
    { title: 'how', cell: ({ how }) => how },
    { title: 'what', cell: ({ changes }) => changesText(changes) },
  ];
}
