// linod job cancel N: asks for the end of one run, wherever it goes on, and says whether it ended.

import { Command } from 'commander';
import { durationText } from '../duration.js';
import { leftBehind } from '../tasks/job.js';
import {
  ExitError,
  exitCodes,
  jsonOption,
  person,
  requireSite,
  type SiteFlags,
  siteOption,
  withStore,
} from './main.js';
import { parseSeconds, parseWholeNumber } from './numbers.js';
import { print, printJson, say } from './output.js';
import { jobHeadline } from './views.js';
import { sayIfUnwoken } from './wake.js';

interface CancelFlags extends SiteFlags {
  readonly json?: boolean;
  readonly timeout: string;
}

export function jobCancelCommand(): Command {
  return new Command('cancel')
    .description('asks a run to end, on whichever worker it is, and waits until it has')
    .argument('<number>', 'the number of the job')
    .option('--timeout <seconds>', 'how long to wait', '30')
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExit codes: 0 the run has ended, 1 it goes on, or may do so: inline nothing can end one that does not look at its signal.\n\nExample:\n  $ linod job cancel 812 --timeout 5',
    )
    .action(async (number: string, flags: CancelFlags) => {
      const id = parseWholeNumber('the number of a job', number);
      const timeoutMs = parseSeconds('--timeout', flags.timeout, { atMost: 86_400 }) * 1000;
      const site = await requireSite(flags);
      await withStore(site, async (store) => {
        const { CancelJob, endOfJob } = await import('../run-job.js');
        const context = { site, store, user: person() };
        const asked = await CancelJob.request(context, id);
        if (asked !== null) sayIfUnwoken(asked);
        const request = asked?.request ?? null;
        const job = await endOfJob(context, id, timeoutMs);
        const isOver = job.status !== 'running';
        const ended = isOver && job.cause !== leftBehind;
        if (flags.json) printJson({ job: id, request, ended, status: job.status, message: job.message });
        else if (isOver) {
          const before = request === null ? ' already' : '';
          print(`job ${id} is${before} ${job.status}: ${jobHeadline(job)}`);
        }
        if (ended) return;
        if (isOver) throw new ExitError(exitCodes.failed);
        say(
          `job ${id} goes on, ${durationText(timeoutMs)} after it was asked to end (request ${request}), on worker ${job.workerId}`,
        );
        throw new ExitError(exitCodes.failed);
      });
    });
}
