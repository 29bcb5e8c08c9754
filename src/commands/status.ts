// linod status, which is also what `linod` alone does.

import type { Command } from 'commander';
import { lookAround, openTasks } from '../actors.js';
import { systemClock } from '../clock.js';
import { durationText } from '../duration.js';
import { StartOrders } from '../membership/start-orders.js';
import { statusLine } from '../tasks/status.js';
import { listenersText, suspendedText } from './health-view.js';
import { requireSite, type SiteJsonFlags, siteCommand, withStore } from './main.js';
import { print, printJson, say } from './output.js';
import { ruleJson, workerJson } from './views.js';

export function statusCommand(): Command {
  return siteCommand(
    'status',
    'the status of all tasks: a line for each job rule',
    'Example:\n  $ linod status --json | jq .rules',
  ).action(showStatus);
}

export const noRulesYet = 'no job rules yet: a worker makes them when it starts, or `linod rules sync` does';

/** Prints a line for each rule, and says on stderr which workers there are. */
export async function showStatus(flags: SiteJsonFlags): Promise<void> {
  const site = await requireSite(flags);
  await withStore(site, async (store) => {
    const workers = await lookAround({ site, store });
    const { rules, jobs } = openTasks({ site, store });
    const [list, running] = await Promise.all([rules.list(), jobs.running()]);
    const ordered = await new StartOrders(store.db, systemClock).list();
    const runOf = new Map(running.map((job) => [job.ruleId, job]));
    if (flags.json) {
      const rows = list.map((rule) => ({ ...ruleJson(rule), running: runOf.get(rule.id) ?? null }));
      printJson({ site: site.name, rules: rows, workers: workers.map(workerJson), started: ordered });
      return;
    }
    const now = systemClock.now();
    for (const rule of list) print(statusLine(rule, runOf.get(rule.id), now));
    if (list.length === 0) say(noRulesYet);
    for (const worker of workers) {
      const listeners = listenersText(worker, now);
      say(
        `worker ${worker.id} has been running for ${durationText(now - worker.started_at)}; its listeners: ${listeners}`,
      );
      const suspended = suspendedText(worker);
      if (suspended !== null) say(suspended);
    }
    if (workers.length === 0) say(`no worker is running: runworker ${site.channel}`);
    else if (!ordered.includes('run.system.tasks'))
      say('the task coroutine was never started: initiate_linod');
  });
}
