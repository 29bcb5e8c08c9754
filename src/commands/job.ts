// linod job N: one run, with what it logged.

import { Command } from 'commander';
import { jobCancelCommand } from './job-cancel.js';
import { jsonOption, requireSite, type SiteFlags, siteOption, withStore } from './main.js';
import { parseWholeNumber } from './numbers.js';
import { print, printJson, styled } from './output.js';
import { progressText } from './views.js';

export function jobCommand(): Command {
  return new Command('job')
    .description('one job, with the lines that it logged')
    .addCommand(jobCancelCommand())
    .argument('<number>', 'the number of the job')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ linod job 812\n  $ linod job cancel 812')
    .action(async (number: string, flags: SiteFlags & { json?: boolean }) => {
      const id = parseWholeNumber('the number of a job', number);
      const site = await requireSite(flags);
      await withStore(site, async (store) => {
        const { openTasks } = await import('../actors.js');
        const { localTime } = await import('../local-time.js');
        const { jobs } = openTasks({ site, store, user: 'linod job' });
        const job = await jobs.get(id);
        const lines = await jobs.lines(id);
        if (flags.json) {
          printJson({
            ...job,
            lines: lines.map((line) => ({
              at: new Date(line.logged_at),
              level: line.level,
              text: line.text,
            })),
          });
          return;
        }
        const time = (instant: Date) => localTime(instant, site.settings.timezone);
        print(
          styled('bold', `Job ${job.id} of rule #${job.ruleId} <Procedures.${job.procedure}>: ${job.status}`),
        );
        print(`  due      ${job.dueAt === null ? `requested (request ${job.requestId})` : time(job.dueAt)}`);
        print(`  started  ${time(job.startDatetime)}`);
        if (job.endDatetime !== null) print(`  ended    ${time(job.endDatetime)}`);
        print(`  worker   ${job.workerId}`);
        if (job.progress !== null) print(`  progress ${progressText(job)}`);
        if (job.message !== '') print(`  message  ${job.message.split('\n').join('\n           ')}`);
        for (const line of lines) {
          print(`${time(new Date(line.logged_at))} ${line.level} ${line.text.split('\n').join('\n    ')}`);
        }
      });
    });
}
