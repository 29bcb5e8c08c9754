// linod rules export, plan and apply: carry the rules of a site in a file.

import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { Command } from 'commander';
import { JobRules, openTasks } from '../../actors/tables.js';
import { UsageError } from '../../base/errors.js';
import { parseJson } from '../../base/parse-json.js';
import { localTime } from '../../recurrence/time/local-time.js';
import { changesText } from '../../rules/changes/field-changes.js';
import { exportRules, parseRulesFile, type RulesFile } from '../../rules/changes/rules-file.js';
import type { PlannedRule, RulesPlan, RulesPlans } from '../../rules/changes/rules-plan.js';
import type { Site } from '../../site/site.js';
import type { Store } from '../../store/store.js';
import {
  ExitError,
  exitCodes,
  loadProcedures,
  person,
  requireSite,
  type SiteFlags,
  type SiteJsonFlags,
  siteCommand,
  siteOption,
  withStore,
} from '../main.js';
import { print, printJson, say } from '../views/output.js';
import { wakeWorkers } from '../wake.js';

interface ApplyFlags extends SiteJsonFlags {
  readonly plan?: string;
}

export function exportCommand(): Command {
  return new Command('export')
    .description('print the rules as a file: overrides, suggestions and effective values')
    .addOption(siteOption())
    .addHelpText('after', '\nExample:\n  $ linod rules export > rules.json')
    .action(async (flags: SiteFlags) => {
      const site = await requireSite(flags);
      const rules = await withStore(site, (store) => JobRules.rows({ site, store }));
      // Indented even in a file, because people compare and edit it.
      print(JSON.stringify(exportRules(rules), null, 2));
    });
}

export function planCommand(): Command {
  return siteCommand(
    'plan',
    'show what a file of rules would change; exit with 3 if there is a change',
    'It changes nothing.\n\nExample:\n  $ linod rules plan rules.json',
  )
    .argument('<file>', 'as linod rules export prints it; "-" reads standard input')
    .action(async (path: string, flags: SiteJsonFlags) => {
      const plan = await withPlans(path, flags, ({ plans, file, source }) => plans.plan(file, source));
      printPlan(plan, flags, false);
      if (plan.rules.length > 0) throw new ExitError(exitCodes.found);
    });
}

export function applyCommand(): Command {
  return siteCommand(
    'apply',
    'change the rules as a file says: all of them, or none',
    `Rules that the file does not name stay as they are. The change itself runs no rule.

Example:
  $ linod rules apply rules.json --plan 5f3a9c21d0e4`,
  )
    .argument('<file>', 'as linod rules export prints it; "-" reads standard input')
    .option('--plan <digest>', 'apply only the changes that linod rules plan printed with this digest')
    .action(async (path: string, flags: ApplyFlags) => {
      const plan = await withPlans(path, flags, async ({ plans, file, source, site, store }) => {
        const applied = await plans.apply(file, source, flags.plan);
        await wakeWorkers(site, store);
        return applied;
      });
      printPlan(plan, flags, true);
    });
}

async function withPlans<T>(
  path: string,
  flags: SiteJsonFlags,
  use: (
    at: Readonly<{ plans: RulesPlans; file: RulesFile; source: string; site: Site; store: Store }>,
  ) => Promise<T>,
): Promise<T> {
  const source = path === '-' ? 'standard input' : path;
  const file = parseRulesFile(parseJson(source, await read(path)), source);
  const site = await requireSite(flags);
  // The file may create a rule of any procedure.
  await loadProcedures(site);
  return await withStore(site, async (store) => {
    const { plans } = await openTasks({ site, store, user: person() });
    return await use({ plans, file, source, site, store });
  });
}

async function read(path: string): Promise<string> {
  if (path === '-') return await readAll(process.stdin);
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`cannot read the file of rules ${JSON.stringify(path)}: ${why}`);
  }
}

function printPlan(plan: RulesPlan, { json }: SiteJsonFlags, isApplied: boolean): void {
  if (json) {
    printJson(plan);
    return;
  }
  for (const rule of plan.rules) print(lineOf(rule));
  const { rules, unchanged, notInFile, digest } = plan;
  const count = `${rules.length} ${rules.length === 1 ? 'rule' : 'rules'}`;
  const parts = [
    rules.length === 0 ? 'nothing to change' : `${count} ${isApplied ? 'changed' : 'would change'}`,
    ...(unchanged === 0 ? [] : [`${unchanged} as in the file`]),
    ...(notInFile.length === 0 ? [] : [`not in the file: ${notInFile.join(', ')}`]),
  ];
  say(rules.length === 0 ? parts.join('; ') : `${parts.join('; ')}; plan ${digest}`);
}

function lineOf(planned: PlannedRule): string {
  const { rule, name, kind, changes, nextRunBefore: before, nextRunAfter: after, timezone } = planned;
  const next = after === null ? 'never' : localTime(after, timezone);
  const moved = before?.getTime() === after?.getTime() ? '' : `; next run at: ${next}`;
  return `${kind === 'create' ? '+' : `~ #${rule}`} ${name}: ${changesText(changes)}${moved}`;
}
