// What one question for the next time of a rule costs, in microseconds. The rule is made before, as a worker has it.

import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Procedure } from '../../../src/procedure.js';
import { Recurrence, type RecurrenceFields } from '../../../src/recurrence.js';
import { openStore } from '../../../src/store/store.js';
import { Rules } from '../../../src/tasks/rules.js';
import { python } from '../shared/machine.js';
import type { Found } from '../shared/results.js';
import type { Context } from './context.js';

const require = createRequire(import.meta.url);
// Its ES module cannot be imported by Node.
const { RRule } = require('rrule') as typeof import('rrule');
const dayMs = 86_400_000;
const zone = 'Europe/Tallinn';
const workdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'] as const;
const agesInDays = { day: 1, year: 365, fiveYears: 5 * 365 } as const;
const now = Math.floor(Date.now() / 1000) * 1000;
/** Beyond it each further question would only take more time. */
const budgetMs = 500;

/** All rules: every 10 s begun so long ago, and daily and monthly at 20:00 begun five years ago. */
type RuleName = keyof typeof agesInDays | 'daily' | 'monthly';

export async function nextOfLinod(): Promise<Found> {
  return costs((name) => {
    const recurrence = Recurrence.from(fieldsOf(name));
    return (instant) => recurrence.nextAfter(instant);
  });
}

/** The same through rules, as a worker moves their due times on. */
export async function nextOfRules({ directory }: Context): Promise<Found> {
  const store = await openStore({ path: join(directory, 'linod.db') });
  const rules = new Rules(store.db, zone, { now: () => now }, 'bench');
  const made = new Map<RuleName, (instant: Date) => unknown>();
  for (const name of ruleNames) {
    const { start, ...fields } = fieldsOf(name);
    const rule = await rules.create(
      new Procedure(name, () => undefined, { ...fields, startDatetime: start }, 'bench'),
    );
    made.set(name, (instant) => rule.dueAfter(instant));
  }
  await store.close();
  return costs((name) => made.get(name));
}

/** Without its cache, which is for the same questions again. */
export async function nextOfRrule({ quick, versions }: Context): Promise<Found> {
  versions.add(`rrule ${(require('rrule/package.json') as { version: string }).version}`);
  const slow = quick ? ['year', 'fiveYears'] : [];
  return costs((name) => {
    if (slow.includes(name)) return undefined;
    const rule = new RRule(rruleOf(name), true);
    return (instant) => rule.after(instant);
  });
}

/** It knows neither an anchor nor a count, so that the age of a rule means nothing to it. */
export async function nextOfCroner({ peers: { croner } }: Context): Promise<Found | undefined> {
  if (croner === undefined) return undefined;
  const { Cron } = createRequire(join(croner, 'from.js'))('croner') as Croner;
  const patterns = { daily: '0 0 20 * * *', monthly: '0 0 20 LW * *' } as const;
  return costs((name) => {
    const cron =
      name === 'daily' || name === 'monthly'
        ? new Cron(patterns[name], { timezone: zone })
        : new Cron('*/10 * * * * *', { timezone: 'UTC' });
    return (instant) => cron.nextRun(instant);
  });
}

/** Undefined where dateutil is not installed. */
export async function nextOfDateutil({ quick, versions }: Context): Promise<Found | undefined> {
  const script = fileURLToPath(new URL('../../../../scripts/bench/scheduler/next-run.py', import.meta.url));
  try {
    const { stdout } = await promisify(execFile)(python, [script, String(now), quick ? '0' : '5']);
    const { version, found } = JSON.parse(stdout) as { version: string; found: Found };
    versions.add(`dateutil ${version}`);
    return found;
  } catch (error) {
    if (/ModuleNotFoundError|ENOENT/.test(String(error))) return undefined;
    throw error;
  }
}

interface Croner {
  readonly Cron: new (
    pattern: string,
    options: { readonly timezone: string },
  ) => { nextRun(after: Date): Date | null };
}

const ruleNames: readonly RuleName[] = ['day', 'year', 'fiveYears', 'daily', 'monthly'];

interface Fields {
  readonly everyUnit: RecurrenceFields['everyUnit'];
  readonly every: number;
  readonly weekdays: NonNullable<RecurrenceFields['weekdays']>;
  readonly positions: readonly number[];
  /** A wall time. */
  readonly start: string;
  readonly timezone: string;
}

function fieldsOf(name: RuleName): Fields {
  const each = { every: 1, weekdays: [], positions: [], timezone: zone };
  switch (name) {
    case 'daily':
      return { ...each, everyUnit: 'daily', start: begunFiveYearsAgo };
    case 'monthly':
      return {
        ...each,
        ...{ everyUnit: 'monthly', weekdays: workdays, positions: [-1], start: begunFiveYearsAgo },
      };
    default: {
      const start = new Date(now - agesInDays[name] * dayMs).toISOString().slice(0, 19);
      return { ...each, everyUnit: 'secondly', every: 10, start, timezone: 'UTC' };
    }
  }
}

/** A wall time. */
const begunFiveYearsAgo = `${new Date(now - agesInDays.fiveYears * dayMs).toISOString().slice(0, 10)}T20:00:00`;

function rruleOf(name: RuleName): ConstructorParameters<typeof RRule>[0] {
  const { MO, TU, WE, TH, FR, DAILY, MONTHLY, SECONDLY } = RRule;
  // rrule takes the wall time of the zone for one of UTC.
  const begun = { dtstart: new Date(`${begunFiveYearsAgo}Z`), tzid: zone };
  switch (name) {
    case 'daily':
      return { freq: DAILY, ...begun };
    case 'monthly':
      return { freq: MONTHLY, byweekday: [MO, TU, WE, TH, FR], bysetpos: -1, ...begun };
    default:
      return { freq: SECONDLY, interval: 10, dtstart: new Date(now - agesInDays[name] * dayMs) };
  }
}

/** @param make a rule that can be asked; undefined for one that is left out */
function costs(make: (name: RuleName) => ((instant: Date) => unknown) | undefined): Found {
  return Object.fromEntries(
    ruleNames.flatMap((name) => {
      const ask = make(name);
      return ask === undefined ? [] : [[name, costUs(ask)]];
    }),
  );
}

/** The median of some batches of questions about instants of the next day; of a slow rule there is only one question. */
function costUs(ask: (instant: Date) => unknown): number {
  let asked = 0;
  const next = () => new Date(now + ((asked++ * 7919) % 86_400) * 1000);
  const time = (questions: number): number => {
    const instants = Array.from({ length: questions }, next);
    const start = performance.now();
    for (const instant of instants) ask(instant);
    return ((performance.now() - start) * 1000) / questions;
  };
  const first = time(1);
  if (first > budgetMs * 1000) return first;
  const until = performance.now() + budgetMs;
  const batch = Math.max(1, Math.floor(1000 / time(10)));
  const batches: number[] = [];
  do batches.push(time(batch));
  while (performance.now() < until);
  // The first half warms up.
  const counted = batches.slice(Math.floor(batches.length / 2)).sort((a, b) => a - b);
  return counted[Math.floor(counted.length / 2)] ?? Number.NaN;
}
