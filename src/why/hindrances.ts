// What would keep a rule from running now.

import { type Kysely, sql } from 'kysely';
import { parseHealth } from '../daemon/health.js';
import { hasProcedure } from '../membership/registered.js';
import { StartOrders } from '../membership/start-orders.js';
import type { Site } from '../site.js';
import type { Database, WorkerRow } from '../store/schema.js';
import type { Store } from '../store/store.js';
import type { JobRule } from '../tasks/rule.js';
import { excludedText } from '../tasks/status.js';
import { Presence } from './presence.js';
import type { TimeWriter } from './sentences.js';

/** What may stand in the way of a rule. */
export type HindranceCode =
  | 'switched-off'
  | 'removed'
  | 'cancelled'
  | 'ended'
  | 'excluded'
  | 'follows'
  | 'no-worker'
  | 'not-started'
  | 'paused'
  | 'no-procedure'
  | 'running'
  | 'group'
  | 'places';

export interface CurrentHindrance {
  readonly code: HindranceCode;
  /** A sentence that says what to do, where something can be done. */
  readonly sentence: string;
}

/** How things stand, as far as it matters. */
export interface Situation {
  readonly db: Kysely<Database>;
  readonly rule: JobRule;
  readonly presence: Presence;
  /** In ms since 1970. */
  readonly now: number;
  readonly time: TimeWriter;
  /** The site's channel, for what to do. */
  readonly channel: string;
  /** Whether `useLinod` is on. */
  readonly isOn: boolean;
}

/** How things stand for a rule. */
export async function situationOf(
  { site, store }: { readonly site: Site; readonly store: Store },
  rule: JobRule,
  now: Date,
): Promise<Situation> {
  return {
    db: store.db,
    rule,
    presence: await Presence.read(store.db, now.getTime()),
    now: now.getTime(),
    time: (instant) => rule.localTime(instant),
    channel: site.channel,
    isOn: site.settings.useLinod,
  };
}

interface RunningRow {
  readonly id: number;
  readonly rule_id: number;
  readonly job_group: string | null;
  readonly start_datetime: number;
  readonly worker_id: string;
}

/** All that stands in the way of a rule now, what weighs most first. Empty when it runs as soon as it is due. */
export async function hindrancesOf(situation: Situation): Promise<CurrentHindrance[]> {
  const running = await situation.db
    .selectFrom('jobs')
    .select(['id', 'rule_id', 'job_group', 'start_datetime', 'worker_id'])
    .where('status', '=', 'running')
    // Not by the number alone, in the order of which SQLite would read the whole history.
    .orderBy('start_datetime')
    .orderBy('id')
    .execute();
  return [
    ...ofSite(situation),
    ...(await ofRule(situation)),
    ...(await ofWorkers(situation, running)),
    ...ofRuns(situation, running),
    ...(await ofGroup(situation, running)),
  ];
}

function ofSite({ isOn }: Situation): CurrentHindrance[] {
  const sentence = 'linod is switched off for this site (useLinod is false): nothing runs';
  return isOn ? [] : [{ code: 'switched-off', sentence }];
}

async function ofRule({ db, rule, time, now }: Situation): Promise<CurrentHindrance[]> {
  const { id, procedure, removedAt, cancelledAt, cancelledReason, nextDueAt, policies } = rule;
  if (removedAt !== null) {
    const sentence = `no procedure ${procedure} is registered, since ${time(removedAt)} at the latest: the rule is kept for its history`;
    return [{ code: 'removed', sentence }];
  }
  if (cancelledAt !== null) {
    const sentence = `the rule has been cancelled since ${time(cancelledAt)}, ${cancelledReason ?? 'for no known reason'}: resume it with \`linod rule ${id} resume\``;
    return [{ code: 'cancelled', sentence }];
  }
  if (nextDueAt !== null) return [];
  if (policies.runAfter !== '') return [{ code: 'follows', sentence: await followsText(db, rule) }];
  if (rule.isExcludedAfter(new Date(now))) {
    const sentence = `${excludedText(rule)}: change that with \`linod rule ${id} set excluded=…\``;
    return [{ code: 'excluded', sentence }];
  }
  return [{ code: 'ended', sentence: endedText(rule) }];
}

function endedText({ id, until, count, start }: JobRule): string {
  const dates = [
    ...(until === null ? [] : [`until ${until}`]),
    ...(count === null ? [] : [`count ${count}`]),
  ];
  const why = dates.length === 0 ? '' : ` (${dates.join(', ')})`;
  const anew = `; its times are counted from ${start} on: \`linod rule ${id} set startDatetime=…\` counts anew`;
  return `the rule has come to the end of its dates${why}${count === null ? '' : anew}`;
}

async function followsText(db: Kysely<Database>, { policies, id }: JobRule): Promise<string> {
  const first = await db
    .selectFrom('job_rules as own')
    .innerJoin('job_rules as first', 'first.id', 'own.follows_rule_id')
    .select(['first.id', 'first.name', 'first.cancelled_at', 'first.removed_at'])
    .where('own.id', '=', id)
    .executeTakeFirst();
  if (first === undefined)
    return `it runs after rule ${JSON.stringify(policies.runAfter)}, which is not there`;
  const cancelled = first.cancelled_at === null ? '' : ', which is cancelled';
  const state = first.removed_at === null ? cancelled : ', whose procedure is gone';
  return `it runs whenever a run of rule #${first.id} ${first.name} is done${state}`;
}

async function ofWorkers(situation: Situation, running: readonly RunningRow[]): Promise<CurrentHindrance[]> {
  const { db, rule, presence, time, channel, isOn, now } = situation;
  const absence = presence.absence(time);
  if (absence !== null) {
    return isOn ? [{ code: 'no-worker', sentence: `${absence}; start one: runworker ${channel}` }] : [];
  }
  const ordered = await new StartOrders(db, { now: () => now }).list();
  if (!ordered.includes('run.system.tasks')) {
    return [{ code: 'not-started', sentence: 'the task coroutine was never started: initiate_linod' }];
  }
  const { living } = presence;
  const names = living.map(({ id }) => id).join(', ');
  if (living.every((worker) => parseHealth(worker.health)?.tasks === 'paused'))
    return [{ code: 'paused', sentence: `every worker takes no new work until SIGCONT: ${names}` }];
  const able = living.filter((worker) => hasProcedure(worker, rule.procedure));
  if (able.length === 0) {
    const sentence = `no worker has the procedure ${rule.procedure}: ${names} would have to be restarted`;
    return [{ code: 'no-procedure', sentence }];
  }
  if (!able.every((worker) => isFull(worker, running))) return [];
  const each = able.map(({ id, max_jobs: places }) => `${places} of ${places} on ${id}`);
  return [{ code: 'places', sentence: `all places for jobs are taken: ${each.join(', ')}` }];
}

function isFull({ id, max_jobs: places }: WorkerRow, running: readonly RunningRow[]): boolean {
  return places !== null && running.filter((run) => run.worker_id === id).length >= places;
}

function ofRuns({ rule, time }: Situation, running: readonly RunningRow[]): CurrentHindrance[] {
  const { overlap } = rule.policies;
  const own = running.find((run) => run.rule_id === rule.id);
  if (own === undefined || overlap === 'allow') return [];
  const then = {
    skip: 'what is due or asked for meanwhile is skipped',
    'queue-one': 'what is due or asked for meanwhile waits for its end',
    'cancel-previous': 'what is due or asked for next asks it to end, and waits for that',
  }[overlap];
  const since = `job ${own.id} has been running since ${time(new Date(own.start_datetime))}`;
  return [{ code: 'running', sentence: `${since}: ${then} (overlap is ${overlap})` }];
}

async function ofGroup(
  { db, rule, now }: Situation,
  running: readonly RunningRow[],
): Promise<CurrentHindrance[]> {
  const { group, groupLimit, priority } = rule.policies;
  const inGroup = running.filter((run) => group !== '' && run.job_group === group);
  if (inGroup.length === 0) return [];
  const jobs = inGroup.map(({ id }) => `job ${id}`).join(', ');
  if (inGroup.length >= groupLimit) {
    return [{ code: 'group', sentence: `group ${group} is at its limit of ${groupLimit}: ${jobs}` }];
  }
  // One with a lower limit that waits is not overtaken.
  const dueAt = Math.min(rule.nextDueAt?.getTime() ?? now, now);
  const first = await db
    .selectFrom('job_rules')
    .select(['id', 'name'])
    .where('due_group', '=', group)
    .where('next_due_at', '<=', now)
    .where(sql<boolean>`(-due_priority, next_due_at, seqno) < (${-priority}, ${dueAt}, ${rule.seqno})`)
    .orderBy('due_priority', 'desc')
    .orderBy('next_due_at')
    .executeTakeFirst();
  if (first === undefined) return [];
  const sentence = `rule #${first.id} ${first.name} comes first and waits for group ${group}: ${jobs}`;
  return [{ code: 'group', sentence }];
}
