// linod jobs: the newest runs.

import { type Command, Option } from 'commander';
import { Jobs } from '../../actors/tables.js';
import { localTime } from '../../recurrence/time/local-time.js';
import { findRule } from '../../rules/find-rule.js';
import { type JobStatus, jobStatuses } from '../../runs/job.js';
import { requireSite, type SiteJsonFlags, siteCommand, withStore } from '../main.js';
import { printList } from '../views/output.js';
import { jobColumns } from '../views/tables.js';
import { givenInstant, instantRule, parseWholeNumber } from '../views/words.js';

interface JobsFlags extends SiteJsonFlags {
  readonly rule?: string;
  readonly status?: readonly JobStatus[];
  readonly since?: string;
  readonly until?: string;
  readonly limit: string;
}

export function jobsCommand(): Command {
  return siteCommand(
    'jobs',
    'list the newest jobs, the newest first',
    'Example:\n  $ linod jobs --status failed timeout lost\n  $ linod jobs --rule 3 --since 2026-11-24T20:00 --until "2 h" --limit 100',
  )
    .option('--rule <rule>', 'only those of one rule: its number or its name')
    .addOption(new Option('--status <status...>', 'only those with one of these').choices(jobStatuses))
    .option('--since <time>', `only those that started then or later: ${instantRule}`)
    .option('--until <time>', 'only those that started before')
    .option('--limit <count>', 'how many', '20')
    .action(async (flags: JobsFlags) => {
      const limit = parseWholeNumber('--limit', flags.limit);
      const site = await requireSite(flags);
      const { timezone } = site.settings;
      const since = givenInstant('--since', flags.since, timezone);
      const until = givenInstant('--until', flags.until, timezone);
      const filter = {
        limit,
        ...(flags.status === undefined ? {} : { status: flags.status }),
        ...(since === undefined ? {} : { since }),
        ...(until === undefined ? {} : { until }),
      };
      const jobs = await withStore(site, async (store) => {
        const ofRule = flags.rule === undefined ? {} : { ruleId: await findRule(store.db, flags.rule) };
        return await Jobs.rows({ site, store }, { ...filter, ...ofRule });
      });
      const columns = jobColumns((instant) => localTime(instant, timezone), Date.now());
      printList(flags, jobs, { columns, none: 'no jobs' });
    });
}
