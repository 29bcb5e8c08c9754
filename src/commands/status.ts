// linod status: prints the state of the site; `linod` alone does the same.

import { basename } from 'node:path';
import type { Command } from 'commander';
import { lookAround, openTasks } from '../actors/tables.js';
import { systemClock } from '../base/clock.js';
import { durationText } from '../base/duration.js';
import { listenersText } from '../insight/listener-text.js';
import { siteProblems } from '../insight/site-health.js';
import { registeredBy } from '../membership/registered-procedures.js';
import { StartOrders } from '../membership/start-orders.js';
import { statusLine } from '../scheduler/status.js';
import { ExitError, exitCodes, requireSite, type SiteJsonFlags, siteCommand, withStore } from './main.js';
import { print, printJson, say } from './views/output.js';
import { failureText, ruleJson, workerJson } from './views/tables.js';

/** The end of the help of both commands. */
export const statusHelp = `Workers, failures of the last 24 hours, and problems go to standard error.

Exit codes: 0 the site is well, 3 it has problems: no worker runs; a worker is suspended, hangs or is deaf; lino.log
is not written; the coroutines were never started; a disk is full.`;

export function statusCommand(): Command {
  return siteCommand(
    'status',
    'show the status of all tasks, one line for each job rule, and the problems of the site',
    `${statusHelp}\n\nExample:\n  $ linod status --json | jq .problems`,
  ).action(showStatus);
}

export const noRulesYet = 'no job rules yet: a worker makes them when it starts, or `linod rules sync` does';

const dayMs = 24 * 3_600_000;

/**
 * Prints a line for each rule. Workers, failures and problems go to stderr.
 *
 * @throws ExitError with 3 when the site has problems
 */
export async function showStatus(flags: SiteJsonFlags): Promise<void> {
  const site = await requireSite(flags);
  await withStore(site, async (store) => {
    const workers = await lookAround({ site, store });
    const { rules, jobs } = await openTasks({ site, store });
    const now = (await store.time?.()) ?? systemClock.now();
    const since = new Date(now - dayMs);
    const [running, failures] = await Promise.all([jobs.running(), jobs.failures(since)]);
    failures.sort((a, b) => a.last.ruleId - b.last.ruleId);
    const ordered = await new StartOrders(store.db, systemClock).list();
    const problems = siteProblems({ site, workers, ordered, now });
    const runOf = new Map(running.map((job) => [job.ruleId, job]));
    if (flags.json) {
      const rows: unknown[] = [];
      for await (const rule of rules.each())
        rows.push({ ...ruleJson(rule), running: runOf.get(rule.id) ?? null });
      const all = workers.map(workerJson);
      printJson({ site: site.name, rules: rows, workers: all, started: ordered, failures, problems });
    } else {
      const isKnown = registeredBy(workers);
      for await (const rule of rules.each()) {
        const isRegistered = workers.length === 0 || isKnown(rule.procedure);
        print(statusLine(rule, runOf.get(rule.id), now, isRegistered));
      }
      if ((await rules.count()) === 0) say(noRulesYet);
      for (const worker of workers) {
        const lasted = durationText(now - worker.started_at);
        say(
          `worker ${worker.id} has been running for ${lasted}; its listeners: ${listenersText(worker, now)}`,
        );
      }
      if (!site.hasZone) say(`times are UTC: no timezone is set in ${basename(site.configFile)}`);
      for (const failure of failures) say(failureText(failure, site.settings.timezone));
      for (const { text } of problems) say(text);
    }
    if (problems.length > 0) throw new ExitError(exitCodes.found);
  });
}
