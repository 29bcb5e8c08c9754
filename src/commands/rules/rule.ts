// linod rule N: shows, changes and runs one job rule.

import { Argument, type Command } from 'commander';
import type { SiteTasks } from '../../actors/site-tasks.js';
import { JobsByRule, openTasks } from '../../actors/tables.js';
import { suggestion, UsageError } from '../../base/errors.js';
import { changesText } from '../../rules/changes/field-changes.js';
import { parseChanges } from '../../rules/changes/parse-changes.js';
import type { RuleRevision } from '../../rules/changes/rule-history.js';
import { fieldValues } from '../../rules/field-values.js';
import { findRule } from '../../rules/find-rule.js';
import type { JobRule } from '../../rules/rule.js';
import { isRuleField } from '../../rules/rule-fields.js';
import { debugText, statusLine } from '../../scheduler/status.js';
import { person, requireSite, type SiteFlags, siteCommand, withStore } from '../main.js';
import { dueJson, dueLines } from '../views/due.js';
import { type Column, leastTime, print, printJson, printTable, say, styled } from '../views/output.js';
import { jobColumns, ruleJson } from '../views/tables.js';
import { parseWholeNumber } from '../views/words.js';
import { wakeWorkers } from '../wake.js';
import { type RunFlags, type RunTarget, runRule } from './rule-run.js';

interface RuleFlags extends SiteFlags, RunFlags {
  readonly count?: string;
  readonly runs?: string;
}

const ownFlags = ['count', 'wait', 'args', 'debug', 'runs'] as const;
type OwnFlag = (typeof ownFlags)[number];

interface RuleTarget extends RunTarget, Pick<SiteTasks, 'rules' | 'history'> {
  readonly words: readonly string[];
  readonly flags: RuleFlags;
}

/** An action on a rule. */
interface RuleAction {
  /** How many words may follow; default none. */
  readonly mostWords?: number;
  /** The flags that the action takes. */
  readonly flags?: readonly OwnFlag[];
  run(target: RuleTarget): Promise<void>;
}

const actions: Readonly<Record<string, RuleAction>> = {
  show: { run: async (target) => await show(await target.rules.get(target.id), target) },
  next: { flags: ['count'], run: showNext },
  set: {
    mostWords: Number.POSITIVE_INFINITY,
    run: (target) => change(target, ({ rules, id, words }) => rules.edit(id, parseChanges(words))),
  },
  run: { flags: ['wait', 'args', 'debug'], run: (target) => runRule('run', target) },
  debug: { flags: ['runs'], run: debugNext },
  stop: { run: (target) => runRule('stop', target) },
  cancel: { run: (target) => change(target, ({ rules, id }) => rules.cancel(id)) },
  resume: { run: (target) => change(target, ({ rules, id }) => rules.resume(id)) },
  history: { run: showHistory },
  undo: {
    mostWords: 1,
    run: (target) => change(target, ({ history, id, words }) => history.undo(id, changeNumber(words))),
  },
};

/** What `set` takes, with the values of each field. */
const fieldsHelp = `
Fields of set, and their values:
${Object.entries(fieldValues)
  .map(([name, allowed]) => `  ${name}: ${allowed}`)
  .join('\n')}
An empty value removes an override. none empties a field where that is allowed.`;

export function ruleCommand(): Command {
  return siteCommand(
    'rule',
    'show, change or run one job rule',
    'Example:\n  $ linod rule checkdata\n  $ linod rule 3 set every=2 everyUnit=hourly\n  $ linod rule 3 set when every 2 weeks on mon, fri at 10:00\n  $ linod rule 3 set "when=0 4 * * mon-fri" missingTime=skipped\n  $ linod rule 3 next --count 50\n  $ linod rule 3 undo\n  $ linod rule 3 run --wait\n  $ linod rule 3 run --debug\n  $ linod rule checkdata run --args \'{"fix":false}\'',
  )
    .addHelpText('after', fieldsHelp)
    .argument('<rule>', 'the number or the name of the rule')
    .addArgument(
      actionArgument(
        'show (default); next: its due times; set FIELD=VALUE… or set when WORDS…; run it now; debug: let its next run log at DEBUG; stop its current run; cancel: ignore it from now on; resume; history: all its changes; undo [CHANGE]: restore it as before the last change, or before that one',
      ),
    )
    .argument('[words...]', 'with set: fields and their values, as listed below')
    .option('--count <n>', 'with next: how many times (default: 10)')
    .option('--args <json>', 'with run: the arguments of the run, as JSON')
    .option('--debug', 'with run: log at DEBUG, and keep all lines with the job')
    .option('--runs <n>', 'with debug: how many of the next runs; 0 takes it back (default: 1)')
    .option(
      '--wait',
      'with run: wait for the run and its further attempts; exit with 1 if the last one failed',
    )
    .action(async (rule: string, name: string | undefined, words: string[], flags: RuleFlags) => {
      const action = parseAction(name ?? 'show', words, flags);
      const site = await requireSite(flags);
      await withStore(site, async (store) => {
        const id = await findRule(store.db, rule);
        const { rules, history } = await openTasks({ site, store, user: person() });
        await action.run({ site, store, rules, history, id, words, flags });
      });
    });
}

/** Shells complete its choices. {@link parseAction} checks them, with its own errors. */
function actionArgument(description: string): Argument {
  const argument = new Argument('[action]', description);
  argument.argChoices = Object.keys(actions);
  return argument;
}

function parseAction(name: string, words: readonly string[], flags: RuleFlags): RuleAction {
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (action === undefined) {
    const names = Object.keys(actions);
    const hint = suggestion(name, names) || `; it can ${names.join(', ')}`;
    throw new UsageError(`a rule cannot ${JSON.stringify(name)}${hint}`);
  }
  const { mostWords = 0, flags: taken = [] } = action;
  if (words.length > mostWords)
    throw new UsageError(`${name} takes no further words, got: ${words.slice(mostWords).join(' ')}`);
  for (const flag of ownFlags) {
    if (flags[flag] === undefined || taken.includes(flag)) continue;
    const takers = Object.entries(actions).filter(([, other]) => other.flags?.includes(flag));
    throw new UsageError(
      `${name} takes no --${flag}: it goes with ${takers.map(([taker]) => taker).join(', ')}`,
    );
  }
  return action;
}

async function debugNext(target: RuleTarget): Promise<void> {
  const { rules, id, flags } = target;
  const runs = flags.runs === undefined ? 1 : parseWholeNumber('--runs', flags.runs, 0);
  const rule = await rules.debugNext(id, runs);
  if (flags.json) await show(rule, target);
  else print(debugText(rule) ?? 'its next runs log as usual');
}

async function showHistory({ rules, history, id, flags }: RuleTarget): Promise<void> {
  const revisions = await history.list(id);
  if (flags.json) printJson(revisions);
  else printTable(historyColumns(await rules.get(id)), revisions);
}

/** Changes the rule, and prints its status line and the changes. */
async function change(target: RuleTarget, how: (target: RuleTarget) => Promise<JobRule>): Promise<void> {
  const { site, store, rules, history, id, flags } = target;
  const before = await rules.get(id);
  const rule = await how(target);
  await wakeWorkers(site, store);
  if (flags.json) return await show(rule, target);
  print(styled('bold', statusLine(rule, undefined, Date.now())));
  const done = (await history.list(id)).filter(({ revision }) => revision > before.revision);
  for (const { changes } of done) print(`  ${changesText(changes)}`);
  if (done.length === 0) say('nothing to change: the rule is already so');
}

async function show(rule: JobRule, { site, store, flags }: RuleTarget): Promise<void> {
  const jobs = await JobsByRule.rows({ site, store }, rule.id, 5);
  if (flags.json) {
    printJson({ ...ruleJson(rule), jobs });
    return;
  }
  const running = jobs.find((job) => job.status === 'running');
  print(styled('bold', statusLine(rule, running, Date.now())));
  const debugged = debugText(rule);
  if (debugged !== null) print(styled('yellow', `  ${debugged}`));
  printFields(rule);
  printTable(
    jobColumns((instant) => rule.localTime(instant), Date.now()),
    jobs,
  );
}

/** Fields that the status line shows. */
const unlisted = [
  'id',
  'overridden',
  'fields',
  'cancelledAt',
  'cancelledReason',
  'removedAt',
  'nextRunAt',
  'debugRuns',
];

/** Prints the effective values, with the suggestion of the procedure where a person overrode it. */
function printFields(rule: JobRule): void {
  for (const [name, value] of Object.entries(ruleJson(rule))) {
    const shown = fieldText(value);
    const field = name === 'start' ? 'startDatetime' : name;
    const suggested =
      isRuleField(field) && rule.overrides[field] !== null
        ? `  (overridden; suggested: ${fieldText(rule.suggestion[field]) || 'none'})`
        : '';
    if (!unlisted.includes(name) && shown + suggested !== '')
      print(`  ${field.padEnd(20)} ${shown || 'none'}${suggested}`);
  }
}

function fieldText(value: unknown): string {
  return Array.isArray(value) ? value.join(',') : String(value ?? '');
}

/** Prints the next due times, one a line. */
async function showNext({ rules, id, flags }: RuleTarget): Promise<void> {
  const rule = await rules.get(id);
  const most = flags.count === undefined ? 10 : parseWholeNumber('--count', flags.count);
  const after = new Date();
  const { runAfter } = rule.policies;
  const entries = rule.active && runAfter === '' ? rule.dueTimes.timetable(after, most) : [];
  if (flags.json) printJson(dueJson(rule, entries));
  else for (const line of dueLines(rule, entries)) print(line);
  if (entries.length > 0) return;
  const follows = rule.active && runAfter !== '';
  say(
    follows
      ? `${rule} is due whenever a run of rule ${runAfter} is done`
      : statusLine(rule, undefined, after.getTime()),
  );
}

function changeNumber([word]: readonly string[]): number | undefined {
  return word === undefined ? undefined : parseWholeNumber('the number of a change', word);
}

function historyColumns(rule: JobRule): ReadonlyArray<Column<RuleRevision>> {
  return [
    { title: 'change', cell: ({ revision }) => String(revision), align: 'right' },
    { title: 'when', cell: ({ at }) => rule.localTime(at), least: leastTime },
    { title: 'who', cell: ({ by }) => by ?? '' },
    { title: 'how', cell: ({ how }) => how },
    { title: 'what', cell: ({ changes }) => changesText(changes) },
  ];
}
