// Finds what keeps a rule from running now.

import { type Kysely, sql } from 'kysely';
import { hasProcedure } from '../../membership/registered-procedures.js';
import { StartOrders } from '../../membership/start-orders.js';
import { parseHealth } from '../../membership/worker-health.js';
import type { JobRule } from '../../rules/rule.js';
import { excludedText } from '../../scheduler/status.js';
import type { Site } from '../../site/site.js';
import type { Database, WorkerRow } from '../../store/schema.js';
import type { Store } from '../../store/store.js';
import { Presence } from './presence.js';
import type { TimeWriter } from './sentences.js';

/** What may block a rule. */
export type BlockerCode =
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
  | 'slots';

export interface Blocker {
  readonly code: BlockerCode;
  /** A sentence that also says what to do, if anything can be done. */
  readonly sentence: string;
}

/** The state of a rule and of the workers that matters here. */
export interface Situation {
  readonly db: Kysely<Database>;
  readonly rule: JobRule;
  readonly presence: Presence;
  /** In ms since 1970. */
  readonly now: number;
  readonly time: TimeWriter;
  /** The site's channel, for advice. */
  readonly channel: string;
  /** Whether `useLinod` is on. */
  readonly isOn: boolean;
}

/** Reads the situation of a rule. */
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

/** Everything that blocks a rule now, the most important first. Empty when it runs as soon as it is due. */
export async function blockersOf(situation: Situation): Promise<Blocker[]> {
  const running = await situation.db
    .selectFrom('jobs')
    .select(['id', 'rule_id', 'job_group', 'start_datetime', 'worker_id'])
    .where('status', '=', 'running')
    // Ordering by id alone would make SQLite read the whole history.
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

function ofSite({ isOn }: Situation): Blocker[] {
  const sentence = 'linod is switched off for this site (useLinod is false): nothing runs';
  return isOn ? [] : [{ code: 'switched-off', sentence }];
}

async function ofRule({ db, rule, time, now }: Situation): Promise<Blocker[]> {
  const { id, procedure, removedAt, cancelledAt, cancelledReason, nextDueAt, policies } = rule;
  if (removedAt !== null) {
    const since = `since ${time(removedAt)} at the latest`;
    const sentence = `no procedure ${procedure} is registered, ${since}: the rule is kept for its history`;
    return [{ code: 'removed', sentence }];
  }
  if (cancelledAt !== null) {
    const since = `since ${time(cancelledAt)}, ${cancelledReason ?? 'for no known reason'}`;
    const sentence = `the rule has been cancelled ${since}: resume it with \`linod rule ${id} resume\``;
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
  const command = `linod rule ${id} set startDatetime=…`;
  const restart = `; it counts its times from ${start}: restart the count with \`${command}\``;
  return `the rule has ended${why}${count === null ? '' : restart}`;
}

async function followsText(db: Kysely<Database>, { policies, id }: JobRule): Promise<string> {
  const first = await db
    .selectFrom('job_rules as own')
    .innerJoin('job_rules as first', 'first.id', 'own.follows_rule_id')
    .select(['first.id', 'first.name', 'first.cancelled_at', 'first.removed_at'])
    .where('own.id', '=', id)
    .executeTakeFirst();
  if (first === undefined)
    return `it runs after rule ${JSON.stringify(policies.runAfter)}, which does not exist`;
  const cancelled = first.cancelled_at === null ? '' : ', which is cancelled';
  const state = first.removed_at === null ? cancelled : ', whose procedure is gone';
  return `it runs whenever a run of rule #${first.id} ${first.name} is done${state}`;
}

async function ofWorkers(situation: Situation, running: readonly RunningRow[]): Promise<Blocker[]> {
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
    return [{ code: 'paused', sentence: `all workers are paused until SIGCONT: ${names}` }];
  const able = living.filter((worker) => hasProcedure(worker, rule.procedure));
  if (able.length === 0) {
    const sentence = `no worker has the procedure ${rule.procedure}: restart ${names}`;
    return [{ code: 'no-procedure', sentence }];
  }
  if (!able.every((worker) => isFull(worker, running))) return [];
  const each = able.map(({ id, max_jobs: slots }) => `${slots} of ${slots} on ${id}`);
  return [{ code: 'slots', sentence: `all job slots are taken: ${each.join(', ')}` }];
}

function isFull({ id, max_jobs: slots }: WorkerRow, running: readonly RunningRow[]): boolean {
  return slots !== null && running.filter((run) => run.worker_id === id).length >= slots;
}

function ofRuns({ rule, time }: Situation, running: readonly RunningRow[]): Blocker[] {
  const { overlap } = rule.policies;
  const own = running.find((run) => run.rule_id === rule.id);
  if (own === undefined || overlap === 'allow') return [];
  const then = {
    skip: 'due times and requests are skipped until it ends',
    'queue-one': 'due times and requests wait until it ends',
    'cancel-previous': 'the next due time or request cancels it, and waits until it ends',
  }[overlap];
  const since = `job ${own.id} has been running since ${time(new Date(own.start_datetime))}`;
  return [{ code: 'running', sentence: `${since}: ${then} (overlap is ${overlap})` }];
}

async function ofGroup({ db, rule, now }: Situation, running: readonly RunningRow[]): Promise<Blocker[]> {
  const { group, groupLimit, priority } = rule.policies;
  const inGroup = running.filter((run) => group !== '' && run.job_group === group);
  if (inGroup.length === 0) return [];
  const jobs = inGroup.map(({ id }) => `job ${id}`).join(', ');
  if (inGroup.length >= groupLimit) {
    return [{ code: 'group', sentence: `group ${group} is at its limit of ${groupLimit}: ${jobs}` }];
  }
  // A waiting rule with a lower group limit is not overtaken.
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
