// linod jobs: the newest runs.

import { Command, Option } from 'commander';
import { type JobStatus, jobStatuses } from '../tasks/job.js';
import { jsonOption, requireSite, type SiteFlags, siteOption, withStore } from './main.js';
import { parseWholeNumber } from './numbers.js';
import { printJson, printTable, say } from './output.js';
import { jobColumns } from './views.js';

interface JobsFlags extends SiteFlags {
  readonly json?: boolean;
  readonly rule?: string;
  readonly status?: JobStatus;
  readonly limit: string;
}

export function jobsCommand(): Command {
  return new Command('jobs')
    .description('the newest jobs, the newest first')
    .option('--rule <number>', 'only those of one rule')
    .addOption(new Option('--status <status>', 'only those with a status').choices(jobStatuses))
    .option('--limit <count>', 'how many', '20')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ linod jobs --status failed')
    .action(async (flags: JobsFlags) => {
      const limit = parseWholeNumber('--limit', flags.limit);
      const ruleId = flags.rule === undefined ? undefined : parseWholeNumber('--rule', flags.rule);
      const site = await requireSite(flags);
      const { Jobs } = await import('../actors.js');
      const { localTime } = await import('../local-time.js');
      const jobs = await withStore(site, (store) =>
        Jobs.rows(
          { site, store },
          {
            limit,
            ...(ruleId === undefined ? {} : { ruleId }),
            ...(flags.status === undefined ? {} : { status: flags.status }),
          },
        ),
      );
      if (flags.json) return printJson(jobs);
      printTable(
        jobColumns((instant) => localTime(instant, site.settings.timezone), Date.now()),
        jobs,
      );
      if (jobs.length === 0) say('no jobs');
    });
}
