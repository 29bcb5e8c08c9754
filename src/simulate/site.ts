// The rules of a site, simulated: with the durations of their history, their followers and their clock changes.

import type { Kysely } from 'kysely';
import { knownZone } from '../recurrence/fields.js';
import type { Database } from '../store/schema.js';
import type { JobRule } from '../tasks/rule.js';
import { clockChanges } from './clock-changes.js';
import { pastRuns } from './past-runs.js';
import { notSimulated, type SimulationReport } from './report.js';
import { simulate } from './simulation.js';

export interface SimulateSiteOptions {
  readonly db: Kysely<Database>;
  /** The rules; those that are not active are left out. */
  readonly rules: readonly JobRule[];
  readonly from: Date;
  readonly to: Date;
  /** How many jobs run side by side, on all workers. */
  readonly places: number;
  /** The site's zone. */
  readonly timezone: string;
  /** How long runs take of which the history knows none, in ms. */
  readonly defaultDurationMs: number;
  /** Called at each instant at which anything happens, in ms since 1970, to show how far it has come. */
  readonly onInstant?: (now: number) => void;
}

/** What would happen on a site between two instants. */
export async function simulateSite(options: SimulateSiteOptions): Promise<SimulationReport> {
  const { db, places, timezone, defaultDurationMs } = options;
  const [from, to] = [options.from.getTime(), options.to.getTime()];
  const rules = options.rules.filter(({ active }) => active);
  const past = await pastRuns(
    db,
    rules.map(({ id }) => id),
  );
  const { occupancy, broken, ...simulated } = simulate({
    rules,
    durationOf: ({ id }) => past.get(id)?.medianMs ?? defaultDurationMs,
    followers: await followersOf(db),
    from,
    to,
    places,
    zone: knownZone(timezone),
    ...(options.onInstant === undefined ? {} : { onInstant: options.onInstant }),
  });
  const isBroken = new Set(broken.map(({ rule }) => rule));
  return {
    from,
    to,
    places,
    runs: simulated.rules.reduce((sum, { runs }) => sum + runs, 0),
    rules: simulated.rules,
    mostRunning: occupancy.mostRunning,
    mostWaiting: occupancy.mostWaiting,
    fullMs: occupancy.fullMs,
    idleMs: occupancy.idleMs,
    longestIdle: occupancy.longestIdle,
    busyMsByHour: occupancy.busyMsByHour,
    clockChanges: clockChanges(
      rules.filter(({ id }) => !isBroken.has(id)),
      from,
      to,
    ),
    broken,
    notSimulated,
    failures: rules.flatMap(({ id, name }) => {
      const { failed, count } = past.get(id) ?? { failed: 0, count: 0 };
      return failed === 0 ? [] : [{ rule: id, name, failed, of: count }];
    }),
  };
}

async function followersOf(db: Kysely<Database>): Promise<Map<number, number[]>> {
  const rows = await db
    .selectFrom('job_rules')
    .select(['id', 'follows_rule_id'])
    .where('follows_rule_id', 'is not', null)
    .orderBy('id')
    .execute();
  const followers = new Map<number, number[]>();
  for (const { id, follows_rule_id: first } of rows)
    if (first !== null) followers.set(first, [...(followers.get(first) ?? []), id]);
  return followers;
}
