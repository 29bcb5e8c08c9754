// linod simulate: runs the rules on a virtual clock and reports what they would do.

import type { Command } from 'commander';
import { JobRules } from '../actors/tables.js';
import { parseDuration } from '../base/duration.js';
import { UsageError } from '../base/errors.js';
import { simulateSite } from '../insight/simulate/site.js';
import { instantRule, parseInstant, pointRule } from '../recurrence/time/parse-instant.js';
import { requireSite, type SiteJsonFlags, siteCommand, withStore } from './main.js';
import { ProgressLine, print, printJson, printTable, say } from './views/output.js';
import { simulatedColumns, simulationLines } from './views/simulation.js';
import { parseSeconds, parseWholeNumber } from './views/words.js';

interface SimulateFlags extends SiteJsonFlags {
  readonly from: string;
  readonly to?: string;
  readonly slots?: string;
  readonly duration: string;
}

const simulatedEndRule = `${pointRule} or how long after the beginning (12h, 90d)`;
const dayMs = 86_400_000;
/** The simulated time without --to. */
const defaultMs = 30 * dayMs;

export function simulateCommand(): Command {
  return siteCommand(
    'simulate',
    'show what the rules will do in a period: overlaps, queues, idle hours, clock changes',
    `A run takes the median time of its rule's history. Failures, requests and outages are not simulated.

Example:
  $ linod simulate --from 2027-01-01 --to 2028-01-01 --slots 4`,
  )
    .option('--from <time>', `the beginning: now, or ${instantRule}`, 'now')
    .option('--to <time>', 'the end, or how long after the beginning: 90d (default: 30d)')
    .option('--slots <n>', "how many jobs run side by side, on all workers (default: the site's maxJobs)")
    .option('--duration <duration>', 'how long a run without a history takes', '1')
    .action(async (flags: SimulateFlags) => {
      const site = await requireSite(flags);
      const { timezone, maxJobs } = site.settings;
      const instant = (flag: string, text: string, allowed = instantRule) =>
        parseInstant(flag, text, { now: new Date(), timezone, allowed });
      const from = instant('--from', flags.from);
      const span = flags.to === undefined ? defaultMs : parseDuration(flags.to);
      const to =
        span === undefined
          ? instant('--to', flags.to ?? '', simulatedEndRule)
          : new Date(from.getTime() + span);
      if (to <= from) throw new UsageError(`expected --to to be later than --from, got: ${flags.to}`);
      const slots = flags.slots === undefined ? maxJobs : parseWholeNumber('--slots', flags.slots);
      const defaultDurationMs =
        parseSeconds('--duration', flags.duration, { atMost: 1e9, orNone: true }) * 1000;
      const began = performance.now();
      const line = new ProgressLine();
      const days = (ms: number) => Math.ceil(ms / dayMs);
      const report = await withStore(site, async (store) => {
        const rules = await JobRules.rows({ site, store });
        const { db } = store;
        const options = { db, rules, from, to, slots, timezone, defaultDurationMs };
        const wholeDays = days(to.getTime() - from.getTime());
        const onInstant = (now: number) => line.show(days(now - from.getTime()), wholeDays, 'days');
        return await simulateSite({ ...options, onInstant });
      });
      line.clear();
      const elapsedMs = Math.round(performance.now() - began);
      if (flags.json) return printJson({ ...report, elapsedMs }, ['from', 'to', 'at']);
      printTable(simulatedColumns, report.rules);
      for (const line of simulationLines(report, timezone)) print(line);
      say(`simulated ${report.rules.length} rules and ${report.runs} runs in ${elapsedMs} ms`);
    });
}
