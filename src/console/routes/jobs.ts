// The runs: their list, one of them with what it logged, and what can be done with it.

import { CancelJob, fateOfRequest, RunJob } from '../../actors/run-job.js';
import { openTasks } from '../../actors/tables.js';
import {
  type Attempt,
  attemptsAfter,
  attemptText,
  dueTimeStory,
  firstAttempt,
} from '../../insight/why/due-time-story.js';
import { fateText, waitText } from '../../insight/why/request-text.js';
import { localTime } from '../../recurrence/time/local-time.js';
import { givenInstant } from '../../recurrence/time/parse-instant.js';
import { findRule } from '../../rules/find-rule.js';
import { jobFromRow, jobStatuses } from '../../runs/job.js';
import { searchJobs } from '../../runs/job-search.js';
import type { JobRow } from '../../store/schema.js';
import type { JobLine, JobStory, JobSummary, JobView, Page, Requested, RequestView } from '../api.js';
import { notFound } from '../errors.js';
import { summariesOf, summaryOf } from '../job-summary.js';
import { change, numberParam, numberQuery, type Route, type RouteRequest, read } from '../router.js';

const maxLines = 1000;

export const jobsRoutes: readonly Route[] = [
  read('api/jobs', list),
  read('api/jobs/:id', view),
  read('api/jobs/:id/story', story),
  read('api/jobs/:id/lines', lines),
  read('api/requests/:id', request),
  change('api/jobs/:id/cancel', 'job.cancel', async (request, note): Promise<Requested> => {
    const { id, status } = await jobOf(request);
    note({ target: `job ${id}` });
    const asked = await CancelJob.request(request.actor, id);
    if (asked === null) return { request: null, text: `Job ${id} had ended before: it is ${status}.` };
    return { request: asked.request, text: `Request ${asked.request}: job ${id} is asked to end.` };
  }),
  change('api/jobs/:id/again', 'job.again', async (request, note): Promise<Requested> => {
    const { id, rule_id, args } = await jobOf(request);
    const given = hidden(request, args);
    note({ target: `job ${id}`, detail: `rule ${rule_id}${given === null ? '' : ` with ${given}`}` });
    const asked = await RunJob.again(request.actor, id);
    const how = asked.isWorking ? 'a run is asked for' : 'no worker is running, so it waits for one';
    return { request: asked.request, text: `Request ${asked.request}: ${how}.` };
  }),
];

async function list(request: RouteRequest): Promise<Page<JobSummary>> {
  const { query, context } = request;
  const { db } = context.store;
  const { timezone, redact } = context.site.settings;
  const given = (name: string) => query.get(name) || undefined;
  const [rule, statuses] = [given('rule'), (given('status') ?? '').split(',')];
  const { jobs, next, searchedTo } = await searchJobs(db, {
    ruleId: rule === undefined ? undefined : await findRule(db, rule),
    statuses: jobStatuses.filter((status) => statuses.includes(status)),
    since: givenInstant('since', given('since'), timezone),
    until: givenInstant('until', given('until'), timezone),
    text: given('text'),
    // A search would find what is hidden in them.
    inArgs: redact.length === 0,
    before: query.has('after') ? numberQuery(request, 'after', { byDefault: 0 }) : undefined,
    limit: numberQuery(request, 'limit', { byDefault: 100, atMost: 500 }),
  });
  return {
    rows: await summariesOf(db, jobs),
    next: next === null ? null : String(next),
    searchedTo: searchedTo?.toISOString() ?? null,
  };
}

async function view(request: RouteRequest): Promise<JobView> {
  const { db } = request.context.store;
  const row = await jobOf(request);
  const asked =
    row.request_id === null
      ? undefined
      : await db
          .selectFrom('job_requests')
          .select('requested_by')
          .where('id', '=', row.request_id)
          .executeTakeFirst();
  const job = jobFromRow(row);
  return {
    ...(await summaryOf(db, job)),
    requestId: job.requestId,
    requestedBy: asked?.requested_by ?? null,
    worker: job.workerId,
    runIn: job.runIn,
    message: job.message,
    cause: job.cause,
    args: hidden(request, row.args),
    checkpoint: hidden(request, row.checkpoint),
    cpuMs: job.cpuMs,
    memoryBytes: job.memoryBytes,
  };
}

async function story(request: RouteRequest): Promise<JobStory> {
  const { site, store } = request.context;
  const first = await firstAttempt(store.db, jobFromRow(await jobOf(request)));
  const attempts: Attempt[] = [
    { attempt: first.attempt, job: first, runAt: null, outcome: null },
    ...(await attemptsAfter(store.db, first)),
  ];
  const jobs = attempts.flatMap(({ job }) => (job === null ? [] : [job]));
  const summaries = new Map((await summariesOf(store.db, jobs)).map((summary) => [summary.id, summary]));
  const time = (instant: Date) => localTime(instant, site.settings.timezone);
  return {
    sentences:
      first.dueAt === null ? [] : (await dueTimeStory({ site, store }, first.ruleId, first.dueAt)).sentences,
    attempts: attempts.map((attempt) => ({
      attempt: attempt.attempt,
      job: summaries.get(attempt.job?.id ?? 0) ?? null,
      text: attemptText(attempt, time),
    })),
  };
}

async function lines(request: RouteRequest): Promise<readonly JobLine[]> {
  const { jobs } = await openTasks(request.actor);
  const after = numberQuery(request, 'after', { byDefault: 0 });
  const rows = await jobs.lines(numberParam(request, 'id'), after, maxLines);
  return rows.map(({ id, logged_at, level, text }) => ({
    id,
    at: new Date(logged_at).toISOString(),
    level,
    text,
  }));
}

async function request(request: RouteRequest): Promise<RequestView> {
  const id = numberParam(request, 'id');
  const { db } = request.context.store;
  const fate = await fateOfRequest(request.actor, id, 0);
  if (fate.job !== null) return { text: '', job: await summaryOf(db, fate.job) };
  const { rule_id } = await db
    .selectFrom('job_requests')
    .select('rule_id')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  return { text: fateText(fate) ?? (await waitText(request.actor, rule_id)), job: null };
}

function hidden({ context }: RouteRequest, json: string | null): string | null {
  return json === null ? null : context.redaction.applyToJson(json);
}

/** The job of the path. @throws RefusedError with 404 */
async function jobOf(request: RouteRequest): Promise<JobRow> {
  const id = numberParam(request, 'id');
  const { db } = request.context.store;
  const row = await db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound(`job ${id}`);
  return row;
}
