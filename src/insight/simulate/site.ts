// Simulates the rules of a site: with durations from their history, their followers, and clock changes.

import type { Kysely } from 'kysely';
import { isElapsed } from '../../recurrence/elapsed.js';
import { knownZone } from '../../recurrence/fields.js';
import type { RuleEntry } from '../../rules/ledger.js';
import type { JobRule } from '../../rules/rule.js';
import type { Database } from '../../store/schema.js';
import { type ClockChangeReport, type ClockEffect, notSimulated, type SimulationReport } from './report.js';
import { simulate } from './simulation.js';

export interface SimulateSiteOptions {
  readonly db: Kysely<Database>;
  /** Rules that are not active are ignored. */
  readonly rules: readonly JobRule[];
  readonly from: Date;
  readonly to: Date;
  /** How many jobs run side by side, on all workers. */
  readonly slots: number;
  /** The site's zone. */
  readonly timezone: string;
  /** The duration of runs without a history, in ms. */
  readonly defaultDurationMs: number;
  /** Called at each instant at which something happens, in ms since 1970, to show progress. */
  readonly onInstant?: (now: number) => void;
  /** Called with what the ledger would get, and when it is decided. */
  readonly onEntry?: (entry: RuleEntry, now: number) => void;
}

/** Simulates a site between two instants. */
export async function simulateSite(options: SimulateSiteOptions): Promise<SimulationReport> {
  const { db, slots, timezone, defaultDurationMs } = options;
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
    slots,
    zone: knownZone(timezone),
    ...(options.onInstant === undefined ? {} : { onInstant: options.onInstant }),
    ...(options.onEntry === undefined ? {} : { onEntry: options.onEntry }),
  });
  const readable = rules.filter(({ id }) => !broken.some(({ rule }) => rule === id));
  const { mostRunning, mostWaiting, fullMs, idleMs, longestIdle, busyMsByHour } = occupancy;
  return {
    ...{ from, to, slots, mostRunning, mostWaiting, fullMs, idleMs, longestIdle, busyMsByHour },
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

/** How many recent runs of a rule count. */
const recentRuns = 101;

/** Figures about the recent runs of a rule. */
interface PastRuns {
  /** The median duration of the runs that were done, in ms; null when none was. */
  readonly medianMs: number | null;
  /** How many runs there are, whatever their status. */
  readonly count: number;
  /** Those that failed, timed out or were lost. */
  readonly failed: number;
}

/** By rule number, without rules that have no finished run. */
async function pastRuns(db: Kysely<Database>, rules: readonly number[]): Promise<Map<number, PastRuns>> {
  const found = new Map<number, PastRuns>();
  for (const rule of rules) {
    const rows = await db
      .selectFrom('jobs')
      .select(['status', 'start_datetime', 'end_datetime'])
      .where('rule_id', '=', rule)
      .where('end_datetime', 'is not', null)
      .orderBy('id', 'desc')
      .limit(recentRuns)
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

/** For an even number of values, the higher of the middle two. */
function medianOf(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Limits how many repeated times of one rule are listed. */
const maxTimesPerRule = 20;

/** The clock changes in the zones of the rules, in chronological order, with their effects. */
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
    .timetable(new Date(at - size - 1), maxTimesPerRule)
    .flatMap(({ at: dueAt, wall, note }) =>
      note === null || (dueAt !== null && dueAt.getTime() - at > 2 * size)
        ? []
        : [{ rule: rule.id, name: rule.name, wall, note }],
    );
}
