// linod job N: shows one run with its lines; linod job cancel N ends it.

import type { Command } from 'commander';
import { CancelJob, endOfJob } from '../../actors/run-job.js';
import { lookAround, openTasks } from '../../actors/tables.js';
import { durationText } from '../../base/duration.js';
import { localTime } from '../../recurrence/time/local-time.js';
import { type Job, leftBehind } from '../../runs/job.js';
import type { Site } from '../../site/site.js';
import type { Store } from '../../store/store.js';
import {
  ExitError,
  exitCodes,
  person,
  requireSite,
  type SiteJsonFlags,
  siteCommand,
  withStore,
} from '../main.js';
import { isLogged, jobEnd, jobHead, jobLine, jobLineJson, jobProgress } from '../views/job.js';
import { print, printJson, say } from '../views/output.js';
import { jobHeadline } from '../views/tables.js';
import { parseSeconds, parseWholeNumber } from '../views/words.js';
import { sayIfUnwoken } from '../wake.js';

interface JobFlags extends SiteJsonFlags {
  readonly follow?: boolean;
}

export function jobCommand(): Command {
  return siteCommand(
    'job',
    'show one job with the lines that it logged',
    `Exit codes of --follow: 0 the run is done, 1 it ended otherwise.

Example:
  $ linod job 812
  $ linod job 812 --follow
  $ linod job cancel 812`,
  )
    .addCommand(cancelCommand())
    .argument('<number>', 'the number of the job')
    .option('--follow', 'show new lines and progress until the run has ended')
    .action(async (number: string, flags: JobFlags) => {
      const id = parseWholeNumber('the number of a job', number);
      const site = await requireSite(flags);
      await withStore(site, async (store) => {
        if (!flags.follow) return await show(site, store, id, flags);
        const job = await follow(site, store, id, flags);
        if (job.status !== 'done') throw new ExitError(exitCodes.failed);
      });
    });
}

async function show(site: Site, store: Store, id: number, { json = false }: JobFlags): Promise<void> {
  const { jobs } = await openTasks({ site, store, user: 'linod job' });
  const job = await jobs.get(id);
  const lines = await jobs.lines(id);
  if (json) return printJson({ ...job, lines: lines.map(jobLineJson) });
  const time = await localTimeOf(site);
  const shown = [
    ...jobHead(job, time),
    ...jobProgress(job),
    ...jobEnd(job, time, isLogged(job, lines)),
    ...lines.map((line) => jobLine(line, time)),
  ];
  for (const line of shown) print(line);
}

/** How often the job and its lines are read. */
const pollMs = 200;
/** How often dead workers are noticed. */
const checkWorkersMs = 2000;

/** Shows a job until it has ended. With `json`, each change is one JSON object. */
async function follow(site: Site, store: Store, id: number, { json = false }: JobFlags): Promise<Job> {
  const { jobs } = await openTasks({ site, store, user: 'linod job' });
  const time = await localTimeOf(site);
  let [lastLine, lastProgress, checkedAt] = [0, 'null', performance.now()];
  let hasErrorLine = false;
  for (let isFirst = true; ; isFirst = false) {
    // The job is read first, so the lines of an ended job are complete.
    const job = await jobs.get(id);
    const lines = await jobs.lines(id, lastLine);
    const progress = JSON.stringify(job.progress);
    const [hasMoved, hasEnded] = [progress !== lastProgress, job.status !== 'running'];
    hasErrorLine ||= isLogged(job, lines);
    const shown = [
      ...(isFirst ? jobHead(job, time) : []),
      ...lines.map((line) => jobLine(line, time)),
      ...(hasMoved ? jobProgress(job) : []),
      ...(hasEnded ? [`job ${job.id} is ${job.status}`, ...jobEnd(job, time, hasErrorLine)] : []),
    ];
    if (!json) for (const line of shown) print(line);
    else if (isFirst || shown.length > 0) printJson({ ...job, lines: lines.map(jobLineJson) });
    if (hasEnded) return job;
    [lastLine, lastProgress] = [lines.at(-1)?.id ?? lastLine, progress];
    await new Promise((resolve) => setTimeout(resolve, pollMs));
    if (performance.now() - checkedAt < checkWorkersMs) continue;
    checkedAt = performance.now();
    await lookAround({ site, store });
  }
}

async function localTimeOf(site: Site): Promise<(instant: Date) => string> {
  return (instant) => localTime(instant, site.settings.timezone);
}

interface CancelFlags extends SiteJsonFlags {
  readonly timeout: string;
}

function cancelCommand(): Command {
  return siteCommand(
    'cancel',
    'end a run on any worker, and wait for its end',
    `Exit codes: 0 the run has ended, 1 it is still running, or may be. Nothing can end an inline run that ignores its
signal.

Example:
  $ linod job cancel 812 --timeout 5`,
  )
    .argument('<number>', 'the number of the job')
    .option('--timeout <duration>', 'how long to wait', '30s')
    .action(async (number: string, flags: CancelFlags) => {
      const id = parseWholeNumber('the number of a job', number);
      const timeoutMs = parseSeconds('--timeout', flags.timeout, { atMost: 86_400 }) * 1000;
      const site = await requireSite(flags);
      await withStore(site, async (store) => {
        const context = { site, store, user: person() };
        const requested = await CancelJob.request(context, id);
        if (requested !== null) sayIfUnwoken(requested);
        const request = requested?.request ?? null;
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
        const after = `${durationText(timeoutMs)} after request ${request} to end it`;
        say(`job ${id} is still running on worker ${job.workerId}, ${after}`);
        throw new ExitError(exitCodes.failed);
      });
    });
}
