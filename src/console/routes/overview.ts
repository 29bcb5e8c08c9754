// The overview: problems first, then today's numbers, what runs and what comes next.

import { type ActorContext, lookAround, openTasks } from '../../actors/tables.js';
import { channelFigures, localFindings, siteFindings } from '../../alarms/findings.js';
import { listIncidents } from '../../alarms/incidents.js';
import type { Finding } from '../../alarms/kinds.js';
import { jobsOfDay } from '../../insight/jobs-of-day.js';
import { instantOf, wallTime } from '../../recurrence/time/local-time.js';
import type { WorkerRow } from '../../store/schema.js';
import type { OverviewView } from '../api.js';
import type { ConsoleContext } from '../context.js';
import { summariesOf } from '../job-summary.js';
import { type Route, type RouteRequest, read } from '../router.js';

type Problem = OverviewView['problems'][number];

/** Of each list. */
const maxShown = 20;
const dayMs = 24 * 3_600_000;

export const overviewRoutes: readonly Route[] = [read('api/overview', overview)];

async function overview({ context, actor }: RouteRequest): Promise<OverviewView> {
  const { db } = context.store;
  const { timezone } = context.site.settings;
  const workers = await lookAround(actor);
  const { jobs, rules } = await openTasks(actor);
  const now = rules.clock.now();
  const [running, failures] = await Promise.all([
    jobs.running(),
    jobs.failures(new Date(now - dayMs), maxShown),
  ]);
  const date = wallTime(new Date(now), timezone).slice(0, 'yyyy-mm-dd'.length);
  const today = instantOf(`${date}T00:00`, timezone)?.getTime() ?? now;
  const last = await summariesOf(
    db,
    failures.map(({ last }) => last),
  );
  return {
    problems: [
      ...(await foundProblems(context, workers, now)),
      ...(workers.length === 0 ? [] : await lateRules(actor, now, new Set(running.map((job) => job.ruleId)))),
    ],
    // A run of yesterday may still go on.
    today: { ...(await jobsOfDay(db, today)), running: running.length },
    running: await summariesOf(db, running.slice(0, maxShown)),
    failures: last.map((summary, index) => ({ times: failures[index]?.times ?? 1, last: summary })),
    next: await nextRules(context),
    workers: workers.length,
  };
}

/** What is an alarm, and rules that a failure has paused. */
async function foundProblems(
  context: ConsoleContext,
  workers: readonly WorkerRow[],
  now: number,
): Promise<Problem[]> {
  const { site, layer, store } = context;
  const channels = await channelFigures(site, layer);
  const clock = { now: () => now };
  const paused = await pausedRules(context);
  const links = new Set(paused.map(({ link }) => link));
  const found = [
    ...(await siteFindings({ site, db: store.db, clock, workers, channels })),
    ...localFindings(site),
  ]
    .filter(({ isNear }) => isNear !== true)
    .map((finding) => ({ code: finding.kind, text: finding.text, link: linkOf(finding) }))
    .filter(({ link }) => !links.has(link));
  const isAway = channels === null && layer.extensions.has('stats');
  const away = { code: 'layer', text: 'the channel layer does not answer', link: '/channels' };
  const gaps = (await listIncidents(store.db, now, now))
    .filter(({ kind }) => kind === 'log-gap')
    .map(({ kind, text }) => ({ code: kind, text, link: '/log' }));
  return [...(isAway ? [away] : []), ...found.slice(0, 5 * maxShown), ...paused, ...gaps];
}

function linkOf({ kind, rule }: Finding): string | null {
  if (rule !== undefined) return `/rules/${rule}`;
  if (kind === 'channel-full') return '/channels';
  if (kind === 'log-not-written') return '/log';
  return /^(disk|spool)-/.test(kind) ? null : '/workers';
}

/** They do not run until they are resumed or a worker starts, however long ago they failed. */
async function pausedRules({ store: { db } }: ConsoleContext): Promise<Problem[]> {
  const rows = await db
    .selectFrom('job_rules')
    .select(['id', 'procedure', 'cancelled_reason'])
    .where('cancelled_by', '=', 'failure')
    .where('removed_at', 'is', null)
    .orderBy('cancelled_at', 'desc')
    .limit(maxShown)
    .execute();
  return rows.map(({ id, procedure, cancelled_reason }) => ({
    code: 'paused',
    text: `rule ${id}, ${procedure}, is paused until it is resumed or a worker starts; ${cancelled_reason?.split('\n', 1)[0]?.slice(0, 200)}`,
    link: `/rules/${id}`,
  }));
}

/** A poll, and the start of a run, take less. */
const lateMs = 30_000;

/** The page of a rule says why it is late. */
async function lateRules(actor: ActorContext, now: number, running: ReadonlySet<number>): Promise<Problem[]> {
  const rows = await actor.store.db
    .selectFrom('job_rules')
    .selectAll()
    .where('next_due_at', '<', now - lateMs)
    .where('cancelled_at', 'is', null)
    .where('removed_at', 'is', null)
    .orderBy('next_due_at')
    .limit(maxShown)
    .execute();
  const { rules } = await openTasks(actor);
  return rows
    .map((row) => rules.parse(row))
    .filter((rule) => {
      const dueAt = rule.nextDueAt?.getTime() ?? now;
      // The next run of a rule that runs waits for its end, as its policy says.
      return !running.has(rule.id) && dueAt + rule.jitterOf(dueAt) < now - lateMs;
    })
    .map((rule) => ({ code: 'late', text: `${rule} is late`, link: `/rules/${rule.id}` }));
}

async function nextRules({ store: { db } }: ConsoleContext): Promise<OverviewView['next']> {
  const rows = await db
    .selectFrom('job_rules')
    .select(['id', 'name', 'next_due_at'])
    .where('next_due_at', 'is not', null)
    .where('cancelled_at', 'is', null)
    .where('removed_at', 'is', null)
    .orderBy('next_due_at')
    .limit(10)
    .execute();
  return rows.flatMap(({ id, name, next_due_at }) =>
    next_due_at === null ? [] : [{ rule: id, name, at: new Date(next_due_at).toISOString() }],
  );
}
