// The timeline of a rule: what was decided about its due times and why, its runs, and what will be.

import type { Kysely } from 'kysely';
import { openTasks } from '../../actors/tables.js';
import { forecastRule } from '../../insight/simulate/forecast.js';
import { readEntries, readSummaries, summaryText } from '../../insight/why/entries.js';
import { numbersBetween } from '../../insight/why/numbers-between.js';
import { describeEntries } from '../../insight/why/rule-story.js';
import { forecastText } from '../../insight/why/sentences.js';
import { Zone } from '../../recurrence/time/zone.js';
import type { JobRule } from '../../rules/rule.js';
import type { Rules } from '../../rules/site-rules.js';
import { type Job, jobFromRow } from '../../runs/job.js';
import type { Site } from '../../site/site.js';
import type { Database } from '../../store/schema.js';
import type { TimelineView } from '../api.js';
import { badRequest } from '../errors.js';
import { jobSummary } from '../job-summary.js';
import { numberParam, type Route, type RouteRequest, read } from '../router.js';

type Period = readonly [from: number, to: number];

/** More cannot be told apart on a screen. */
const maxEntries = 1000;
const maxSummaries = 400;
const maxMs = 10 * 366 * 86_400_000;
/** The length of a run without a history, as of `linod simulate`. */
const defaultDurationMs = 1000;

async function timeline(request: RouteRequest): Promise<TimelineView> {
  const { actor } = request;
  const { db } = actor.store;
  const { rules } = await openTasks(actor);
  const rule = await rules.get(numberParam(request, 'id'));
  const period = periodOf(request);
  const now = rules.clock.now();
  const found = await readEntries(db, rule.id, { between: period, limit: maxEntries + 1 });
  // What the ledger says of times to come is part of the simulation.
  const entries = describeEntries(found.slice(-maxEntries), rule).filter(({ at }) => at.getTime() <= now);
  const named = new Set(entries.map(({ job }) => job?.id));
  const jobs = await jobsBetween(db, rule.id, period);
  const days = readSummaries(db, rule.id, { since: dayOf(rule, period[0]), limit: maxSummaries });
  const lastDay = dayOf(rule, period[1]);
  return {
    from: iso(period[0]),
    to: iso(period[1]),
    now: iso(now),
    entries: entries.map(({ id, at, dueUntil, times, reason, sentence, job }) => ({
      id,
      at: at.toISOString(),
      until: dueUntil?.toISOString() ?? null,
      times,
      reason,
      sentence,
      job: job === null ? null : jobSummary(job, rule.name),
    })),
    jobs: jobs.filter(({ id }) => !named.has(id)).map((job) => jobSummary(job, rule.name)),
    clockChanges: (Zone.named(rule.timezone)?.changesBetween(...period) ?? []).map(
      ({ at, offsetMs, offsetBeforeMs }) => ({ at: iso(at), changeMs: offsetMs - offsetBeforeMs }),
    ),
    future: await futureOf(rules, rule, actor.site, [Math.max(now, period[0]), period[1]]),
    summaries: (await days)
      .filter(({ day }) => day <= lastDay)
      .map((summary) => ({ day: summary.day, text: summaryText(summary) })),
    isCut: found.length > maxEntries || jobs.length === maxEntries,
  };
}

function periodOf({ query }: RouteRequest): Period {
  const [from, to] = ['from', 'to'].map((name) => Date.parse(query.get(name) ?? '')) as [number, number];
  if (from < to && to - from <= maxMs) return [from, to];
  throw badRequest('expected from and to to be times in ISO 8601, at most ten years apart');
}

function dayOf(rule: JobRule, instant: number): string {
  return rule.localTime(new Date(instant)).slice(0, 'yyyy-mm-dd'.length);
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}

/** The newest runs that were going on in a period. */
async function jobsBetween(db: Kysely<Database>, ruleId: number, period: Period): Promise<Job[]> {
  const [from, to] = period;
  const table = { table: 'jobs', column: 'start_datetime' } as const;
  const [first, last] = await numbersBetween(db, table, ruleId, period);
  const rows = await db
    .selectFrom('jobs')
    .selectAll()
    .where('rule_id', '=', ruleId)
    .where('id', '>=', first)
    .where('id', '<=', last)
    .where('start_datetime', '<=', to)
    .where(({ eb, or }) => or([eb('end_datetime', '>=', from), eb('end_datetime', 'is', null)]))
    .orderBy('id', 'desc')
    .limit(maxEntries)
    .execute();
  return rows.map(jobFromRow).reverse();
}

async function futureOf(
  rules: Rules,
  rule: JobRule,
  site: Site,
  [from, to]: Period,
): Promise<TimelineView['future']> {
  if (from >= to) return [];
  const { maxJobs: slots, timezone } = site.settings;
  const options = { from: new Date(from), to: new Date(to), slots, timezone, defaultDurationMs };
  const forecasts = await forecastRule(rules, rule, options);
  return forecasts.map(({ entry, at, startsAt, endsAt }) => ({
    dueAt: iso(at),
    startsAt: startsAt === null ? null : iso(startsAt),
    endsAt: endsAt === null ? null : iso(endsAt),
    reason: entry.reason,
    sentence: forecastText(entry),
  }));
}

export const timelineRoutes: readonly Route[] = [read('api/rules/:id/timeline', timeline)];
