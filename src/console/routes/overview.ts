// The overview: problems first, then today's numbers, what runs and what comes next.

import type { ActorContext } from '../../actors/tables.js';
import { lookAround, openTasks } from '../../actors/tables.js';
import { systemClock } from '../../base/clock.js';
import { jobsOfDay } from '../../insight/jobs-of-day.js';
import { siteProblems } from '../../insight/site-health.js';
import { ruleStory } from '../../insight/why/rule-story.js';
import { StartOrders } from '../../membership/start-orders.js';
import { instantOf, wallTime } from '../../recurrence/time/local-time.js';
import type { JobRule } from '../../rules/rule.js';
import type { Failure } from '../../runs/job-table.js';
import type { OverviewView } from '../api.js';
import type { ConsoleContext } from '../context.js';
import { summariesOf } from '../job-summary.js';
import { type Route, type RouteRequest, read } from '../router.js';

type Problem = OverviewView['problems'][number];

/** Of each kind of problem, and of each list. */
const maxShown = 20;
const dayMs = 24 * 3_600_000;

export const overviewRoutes: readonly Route[] = [read('api/overview', overview)];

async function overview({ context, actor }: RouteRequest): Promise<OverviewView> {
  const { site, store, layer } = context;
  const { db } = store;
  const workers = await lookAround(actor);
  const { jobs } = await openTasks(actor);
  const now = Math.floor((await store.time?.()) ?? systemClock.now());
  const [running, failures, ordered] = await Promise.all([
    jobs.running(),
    jobs.failures(new Date(now - dayMs), maxShown),
    new StartOrders(db, systemClock).list(),
  ]);
  const { timezone } = site.settings;
  const date = wallTime(new Date(now), timezone).slice(0, 'yyyy-mm-dd'.length);
  const today = instantOf(`${date}T00:00`, timezone)?.getTime() ?? now;
  const shown = await summariesOf(db, [...running.slice(0, maxShown), ...failures.map(({ last }) => last)]);
  const summaries = new Map(shown.map((summary) => [summary.id, summary]));
  const of = ({ id }: { readonly id: number }) => {
    const summary = summaries.get(id);
    return summary === undefined ? [] : [summary];
  };
  return {
    problems: [
      ...siteProblems({ site, workers, ordered, now }).map(({ code, text }) => ({
        code,
        text,
        link: code === 'disk-full' ? null : code === 'log-not-written' ? '/log' : '/workers',
      })),
      ...(await pausedRules(context)),
      ...(await failedRules(context, failures)),
      ...(workers.length === 0 ? [] : await lateRules(actor, now, new Set(running.map((job) => job.ruleId)))),
      ...(await fullChannels(layer)),
    ],
    // A run of yesterday may still go on.
    today: { ...(await jobsOfDay(db, today)), running: running.length },
    running: running.slice(0, maxShown).flatMap(of),
    failures: failures.flatMap(({ times, last }) => of(last).map((last) => ({ times, last }))),
    next: await nextRules(context),
    workers: workers.length,
  };
}

const endings: Readonly<Record<string, string>> = {
  failed: 'failed',
  timeout: 'reached its timeout',
  lost: 'was lost',
};

/** Rules that a failure has paused, however long ago: they do not run until they are resumed or a worker starts. */
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
    text: `rule ${id}, ${procedure}, is paused until it is resumed or a worker starts; ${headline(cancelled_reason ?? '')}`,
    link: `/rules/${id}`,
  }));
}

/** Rules that have failed, and not succeeded since. One that is paused is a problem of its own. */
async function failedRules(
  { store: { db } }: ConsoleContext,
  failures: readonly Failure[],
): Promise<Problem[]> {
  const problems = await Promise.all(
    failures.map(async ({ times, last: { id, ruleId, status, message, procedure } }) => {
      const later = db.selectFrom('jobs').select('id').where('rule_id', '=', ruleId).where('id', '>', id);
      const good = await later.where('status', '=', 'done').limit(1).executeTakeFirst();
      const rule = db.selectFrom('job_rules').select('id').where('id', '=', ruleId);
      const paused = await rule.where('cancelled_by', '=', 'failure').executeTakeFirst();
      if (good !== undefined || paused !== undefined) return [];
      const runs = times === 1 ? 'a run' : `${times} runs in 24 hours did not succeed; the last`;
      const end = endings[status] ?? `ended as ${status}`;
      const text = `rule ${ruleId}, ${procedure}: ${runs} ${end}: ${headline(message)}`;
      return [{ code: status, text, link: `/runs/${id}` }];
    }),
  );
  return problems.flat();
}

function headline(message: string): string {
  return (message.split('\n', 1)[0] ?? '').slice(0, 200);
}

/** A poll, and the start of a run, take less. */
const lateMs = 30_000;
/** Of how many late rules the reasons are told. */
const maxExplained = 3;

async function lateRules(actor: ActorContext, now: number, running: ReadonlySet<number>): Promise<Problem[]> {
  const rows = await actor.store.db
    .selectFrom('job_rules')
    .select('id')
    .where('next_due_at', '<', now - lateMs)
    .where('cancelled_at', 'is', null)
    .where('removed_at', 'is', null)
    .orderBy('next_due_at')
    .limit(maxShown)
    .execute();
  const { rules } = await openTasks(actor);
  const late: JobRule[] = [];
  for (const { id } of rows) {
    // The next run of a rule that runs waits for its end, as its policy says.
    if (running.has(id)) continue;
    const rule = await rules.get(id);
    const dueAt = rule.nextDueAt?.getTime() ?? now;
    if (dueAt + rule.jitterOf(dueAt) < now - lateMs) late.push(rule);
  }
  return await Promise.all(
    late.map(async (rule, index) => {
      const link = `/rules/${rule.id}`;
      if (index >= maxExplained) return { code: 'late', text: `${rule} is late`, link };
      const { outlook } = await ruleStory(actor, rule.id, { limit: 1, now: new Date(now) });
      const why = [outlook.overdue, ...outlook.blockers.map(({ sentence }) => sentence)];
      return {
        code: 'late',
        text: `${rule} is late: ${why.filter((text) => text !== null).join('; ')}`,
        link,
      };
    }),
  );
}

async function fullChannels(layer: ConsoleContext['layer']): Promise<Problem[]> {
  if (!layer.extensions.has('stats')) return [];
  try {
    const { channels } = await layer.stats();
    return channels
      .filter(({ depth, capacity }) => depth >= capacity)
      .map(({ channel, depth }) => ({
        code: 'full',
        text: `the channel ${channel} is full: ${depth} messages wait`,
        link: '/channels',
      }));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [{ code: 'layer', text: `the channel layer does not answer: ${why}`, link: '/channels' }];
  }
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
