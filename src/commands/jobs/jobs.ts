// linod jobs: lists the newest runs.

import { type Command, Option } from 'commander';
import { Jobs } from '../../actors/tables.js';
import { localTime } from '../../recurrence/time/local-time.js';
import { givenInstant, instantRule } from '../../recurrence/time/parse-instant.js';
import { findRule } from '../../rules/find-rule.js';
import { type JobStatus, jobStatuses } from '../../runs/job.js';
import { requireSite, type SiteJsonFlags, siteCommand, withStore } from '../main.js';
import { printList } from '../views/output.js';
import { jobColumns } from '../views/tables.js';
import { parseWholeNumber } from '../views/words.js';

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
    `Example:
  $ linod jobs --status failed timeout lost
  $ linod jobs --rule 3 --since 2026-11-24T20:00 --until "2 h" --limit 100`,
  )
    .option('--rule <rule>', 'only jobs of one rule: its number or its name')
    .addOption(
      new Option('--status <status...>', 'only jobs with one of these statuses').choices(jobStatuses),
    )
    .option('--since <time>', `only jobs that started then or later: ${instantRule}`)
    .option('--until <time>', 'only jobs that started before')
    .option('--limit <count>', 'how many jobs', '20')
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
