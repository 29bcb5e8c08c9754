// The rules of a site, simulated: with the durations of their history, their followers and their clock changes.

import type { Kysely } from 'kysely';
import { isElapsed } from '../recurrence/elapsed.js';
import { knownZone } from '../recurrence/fields.js';
import type { Database } from '../store/schema.js';
import type { JobRule } from '../tasks/rule.js';
import { type ClockChangeReport, type ClockEffect, notSimulated, type SimulationReport } from './report.js';
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
  const readable = rules.filter(({ id }) => !broken.some(({ rule }) => rule === id));
  const { mostRunning, mostWaiting, fullMs, idleMs, longestIdle, busyMsByHour } = occupancy;
  return {
    ...{ from, to, places, mostRunning, mostWaiting, fullMs, idleMs, longestIdle, busyMsByHour },
    runs: simulated.rules.reduce((sum, { runs }) => sum + runs, 0),
    rules: simulated.rules,
    clockChanges: clockChanges(readable, from, to),
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

/** So many of the newest runs decide. */
const newest = 101;

/** What the newest runs of a rule were like. */
interface PastRuns {
  /** The median of those that were done, in ms; null when none was. */
  readonly medianMs: number | null;
  /** How many they are, whatever their end. */
  readonly count: number;
  /** Those that failed, took too long or were lost. */
  readonly failed: number;
}

/** By the number of the rule; rules without a run that has ended are missing. */
async function pastRuns(db: Kysely<Database>, rules: readonly number[]): Promise<Map<number, PastRuns>> {
  const found = new Map<number, PastRuns>();
  for (const rule of rules) {
    const rows = await db
      .selectFrom('jobs')
      .select(['status', 'start_datetime', 'end_datetime'])
      .where('rule_id', '=', rule)
      .where('end_datetime', 'is not', null)
      .orderBy('id', 'desc')
      .limit(newest)
      .execute();
    if (rows.length === 0) continue;
    const durations = rows.flatMap(({ status, start_datetime: start, end_datetime: end }) =>
      status !== 'done' || end === null ? [] : [Math.max(0, end - start)],
    );
    const failed = rows.filter(({ status }) => ['failed', 'timeout', 'lost'].includes(status)).length;
    found.set(rule, { medianMs: medianOf(durations) ?? null, count: rows.length, failed });
  }
  return found;
}

/** Of an even number of values the higher one in the middle. */
function medianOf(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Of a rule by the second, not each of the times is told that a clock change shows twice. */
const mostOfRule = 20;

/** The clock changes in the zones of the rules, in the order of time, and what they do to these. */
function clockChanges(rules: readonly JobRule[], from: number, to: number): ClockChangeReport[] {
  const timezones = [...new Set(rules.map(({ timezone }) => timezone))];
  const found = timezones.flatMap((timezone) => {
    const concerned = rules.filter((rule) => rule.timezone === timezone && !isElapsed(rule.everyUnit));
    return knownZone(timezone)
      .changesBetween(from, to)
      .map(({ at, offsetBeforeMs, offsetMs }) => {
        const changeMs = offsetMs - offsetBeforeMs;
        return {
          at,
          timezone,
          changeMs,
          effects: concerned.flatMap((rule) => effectsOn(rule, at, Math.abs(changeMs))),
        };
      });
  });
  return found.sort((a, b) => a.at - b.at);
}

function effectsOn(rule: JobRule, at: number, size: number): ClockEffect[] {
  return rule.dueTimes
    .timetable(new Date(at - size - 1), mostOfRule)
    .flatMap(({ at: dueAt, wall, note }) =>
      note === null || (dueAt !== null && dueAt.getTime() - at > 2 * size)
        ? []
        : [{ rule: rule.id, name: rule.name, wall, note }],
    );
}
