// The metrics of the whole site, read from its database and its channel layer for each answer.

import { type Kysely, sql } from 'kysely';
import type { ChannelLayer } from '../../channels/index.js';
import type { Database } from '../store/schema.js';
import type { Metrics } from './metrics.js';

/** Sets the metrics that the database knows. */
export async function readStore(db: Kysely<Database>, metrics: Metrics): Promise<void> {
  const rules = await db
    .selectFrom('job_rules')
    .select(['name', 'next_due_at', 'failures_in_row', 'cancelled_at'])
    .select((eb) =>
      eb
        .selectFrom('jobs')
        .whereRef('jobs.rule_id', '=', 'job_rules.id')
        // A literal, so that SQLite uses the partial index.
        .where('jobs.status', '=', sql.lit('done' as const))
        .select((max) => max.fn.max('jobs.end_datetime').as('ended'))
        .as('succeeded_at'),
    )
    .where('removed_at', 'is', null)
    .execute();
  // The statuses are literals, so that SQLite uses the partial indexes.
  const { rows } = await sql<{ workers: number; running: number; requested: number }>`select
    (select count(*) from workers where stopped_at is null) as workers,
    (select count(*) from jobs where status = 'running') as running,
    (select count(*) from job_requests where action = 'run' and handled_at is null) as requested`.execute(db);
  const alarms = await db
    .selectFrom('alarms')
    .where('cleared_at', 'is', null)
    .groupBy('kind')
    .select((all) => ['kind', all.fn.countAll<number>().as('count')])
    .execute();
  clearStore(metrics);
  const states = { active: 0, cancelled: 0 };
  for (const { name, next_due_at, failures_in_row, cancelled_at, succeeded_at } of rules) {
    states[cancelled_at === null ? 'active' : 'cancelled']++;
    if (next_due_at !== null && cancelled_at === null) metrics.nextDue.set(next_due_at / 1000, name);
    if (succeeded_at !== null) metrics.lastSuccess.set(Number(succeeded_at) / 1000, name);
    metrics.failures.set(failures_in_row, name);
  }
  for (const [state, count] of Object.entries(states)) metrics.rules.set(count, state);
  for (const { workers, running, requested } of rows) {
    metrics.workers.set(Number(workers));
    metrics.running.set(Number(running));
    metrics.requested.set(Number(requested));
  }
  for (const { kind, count } of alarms) metrics.alarms.set(Number(count), kind);
}

/** Old values would hide that the database is away. */
export function clearStore(metrics: Metrics): void {
  const { rules, nextDue, lastSuccess, failures, workers, running, requested, alarms } = metrics;
  for (const each of [rules, nextDue, lastSuccess, failures, workers, running, requested, alarms])
    each.clear();
}

/** Sets the metrics that the channel layer knows. */
export async function readLayer(layer: ChannelLayer, metrics: Metrics): Promise<void> {
  const { channels } = await layer.stats();
  clearLayer(metrics);
  for (const { channel, depth, oldestAgeMs, capacity, dead } of channels) {
    metrics.depth.set(depth, channel);
    metrics.age.set((oldestAgeMs ?? 0) / 1000, channel);
    metrics.capacity.set(capacity, channel);
    metrics.dead.set(dead, channel);
  }
}

export function clearLayer({ depth, age, capacity, dead }: Metrics): void {
  for (const each of [depth, age, capacity, dead]) each.clear();
}
