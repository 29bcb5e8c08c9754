// linod job N: one run, with what it logged.

import { Command } from 'commander';
import type { Site } from '../site.js';
import type { Store } from '../store/store.js';
import type { Job } from '../tasks/job.js';
import { jobCancelCommand } from './job-cancel.js';
import { followJob } from './job-follow.js';
import { jobEnd, jobHead, jobLine, jobLineJson, jobProgress } from './job-view.js';
import {
  ExitError,
  exitCodes,
  jsonOption,
  requireSite,
  type SiteFlags,
  siteOption,
  withStore,
} from './main.js';
import { parseWholeNumber } from './numbers.js';
import { print, printJson } from './output.js';

interface JobFlags extends SiteFlags {
  readonly json?: boolean;
  readonly follow?: boolean;
}

export function jobCommand(): Command {
  return new Command('job')
    .description('one job, with the lines that it logged')
    .addCommand(jobCancelCommand())
    .argument('<number>', 'the number of the job')
    .option('--follow', 'go on showing its lines and its progress until it has ended')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExit codes of --follow: 0 the run is done, 1 it ended otherwise.\n\nExample:\n  $ linod job 812\n  $ linod job 812 --follow\n  $ linod job cancel 812',
    )
    .action(async (number: string, flags: JobFlags) => {
      const id = parseWholeNumber('the number of a job', number);
      const site = await requireSite(flags);
      await withStore(site, async (store) => {
        if (!flags.follow) return await show(site, store, id, flags);
        const job = await follow(site, store, id, flags);
        if (job?.status !== 'done') throw new ExitError(exitCodes.failed);
      });
    });
}

async function show(site: Site, store: Store, id: number, { json = false }: JobFlags): Promise<void> {
  const { openTasks } = await import('../actors.js');
  const { jobs } = openTasks({ site, store, user: 'linod job' });
  const job = await jobs.get(id);
  const lines = await jobs.lines(id);
  if (json) return printJson({ ...job, lines: lines.map(jobLineJson) });
  const time = await localTimeOf(site);
  const shown = [
    ...jobHead(job, time),
    ...jobProgress(job),
    ...jobEnd(job, time),
    ...lines.map((line) => jobLine(line, time)),
  ];
  for (const line of shown) print(line);
}

/** With `json`, each piece of news is one JSON object. @returns the job as it has ended */
async function follow(
  site: Site,
  store: Store,
  id: number,
  { json = false }: JobFlags,
): Promise<Job | undefined> {
  const time = await localTimeOf(site);
  let last: Job | undefined;
  for await (const { job, lines } of followJob(site, store, id)) {
    const isNew = last === undefined;
    const hasMoved = JSON.stringify(job.progress) !== JSON.stringify(last?.progress ?? null);
    last = job;
    if (json) {
      printJson({ ...job, lines: lines.map(jobLineJson) });
      continue;
    }
    const shown = [
      ...(isNew ? jobHead(job, time) : []),
      ...lines.map((line) => jobLine(line, time)),
      ...(hasMoved ? jobProgress(job) : []),
      ...(job.status === 'running' ? [] : [`job ${job.id} is ${job.status}`, ...jobEnd(job, time)]),
    ];
    for (const line of shown) print(line);
  }
  return last;
}

async function localTimeOf(site: Site): Promise<(instant: Date) => string> {
  const { localTime } = await import('../local-time.js');
  return (instant) => localTime(instant, site.settings.timezone);
}
