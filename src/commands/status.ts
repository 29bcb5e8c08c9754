// linod status, which is also what `linod` alone does.

import { Command } from 'commander';
import { durationText } from '../duration.js';
import { jsonOption, requireSite, type SiteFlags, siteOption, withStore } from './main.js';
import { print, printJson, say } from './output.js';
import { ruleJson } from './views.js';

export function statusCommand(): Command {
  return new Command('status')
    .description('the status of all tasks: a line for each job rule')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ linod status --json | jq .rules')
    .action(showStatus);
}

export interface StatusFlags extends SiteFlags {
  readonly json?: boolean;
}

/** Prints a line for each rule, and says on stderr which workers there are. */
export async function showStatus(flags: StatusFlags): Promise<void> {
  const site = await requireSite(flags);
  await withStore(site, async (store) => {
    const [{ Rules }, { Jobs }, { statusLine }, { WorkerRegistry }, { systemClock }, { StartOrders }] =
      await Promise.all([
        import('../tasks/rules.js'),
        import('../tasks/jobs.js'),
        import('../tasks/status.js'),
        import('../membership/registry.js'),
        import('../clock.js'),
        import('../membership/start-orders.js'),
      ]);
    const registry = new WorkerRegistry(store.db, systemClock);
    const rules = new Rules(store.db, site.settings.timezone, systemClock, 'linod status');
    const jobs = new Jobs(store.db, rules, systemClock, registry.id);
    await registry.markDead();
    await jobs.giveUpLost();
    const [list, running, workers] = await Promise.all([rules.list(), jobs.running(), registry.living()]);
    const ordered = await new StartOrders(store.db, systemClock).list();
    if (flags.json) {
      printJson({
        site: site.name,
        rules: list.map((rule) => ({
          ...ruleJson(rule),
          running: running.find((job) => job.ruleId === rule.id) ?? null,
        })),
        workers,
        started: ordered,
      });
      return;
    }
    for (const rule of list)
      print(
        statusLine(
          rule,
          running.find((job) => job.ruleId === rule.id),
        ),
      );
    if (list.length === 0)
      say('no job rules yet: a worker makes them when it starts, or `linod rules sync` does');
    const now = systemClock.now();
    for (const worker of workers) {
      say(`worker ${worker.id} has been running for ${durationText(now - worker.started_at)}`);
    }
    if (workers.length === 0) say(`no worker is running: runworker ${site.channel}`);
    else if (!ordered.includes('run.system.tasks'))
      say('the task coroutine was never started: initiate_linod');
  });
}
