// What is measured, and on whom. The contestants of an experiment take turns.

import type { Found } from '../shared/results.js';
import { runNowOnBarePostgres, throughputOfBareSqlite } from './bare.js';
import type { Context } from './context.js';
import { rulesOfBullMq, rulesOfLinod } from './every-second.js';
import { idleBullMq, idleLinod, idleRules } from './idle.js';
import { nextOfCroner, nextOfDateutil, nextOfLinod, nextOfRrule, nextOfRules } from './next-run.js';
import { runNow, runNowOfBullMq, runNowOnPostgres, throughput, throughputOfBullMq } from './requests.js';

/** Undefined when it is not there to be measured. */
type Measure = (context: Context) => Promise<Found | undefined>;

export interface Experiment {
  /** By which `--only` and the table know it. */
  readonly key: string;
  readonly contestants: Readonly<Record<string, Measure>>;
  /** Whether further rounds would tell no more: the measurement itself takes medians. */
  readonly once?: boolean;
}

export const experiments: readonly Experiment[] = [
  {
    key: 'next-run',
    once: true,
    contestants: {
      linod: nextOfLinod,
      rule: nextOfRules,
      rrule: nextOfRrule,
      dateutil: nextOfDateutil,
      croner: nextOfCroner,
    },
  },
  ...[1000, 10].map((rules) => ({
    key: `rules-${rules}`,
    contestants: {
      linod: (context: Context) => rulesOfLinod(rules, context),
      bullmq: (context: Context) => rulesOfBullMq(rules, context),
    },
  })),
  {
    key: 'daily-rules',
    contestants: {
      few: (context) => idleRules(10, context),
      many: (context) => idleRules(10_000, context),
      history: (context) => idleRules(10_000, context, true),
    },
  },
  {
    key: 'run-now',
    contestants: {
      sqlite: runNow,
      postgres: runNowOnPostgres,
      bare: runNowOnBarePostgres,
      bullmq: runNowOfBullMq,
    },
  },
  ...[1, 50].map((atOnce) => ({
    key: `requests-${atOnce}`,
    contestants: {
      linod: (context: Context) => throughput(atOnce, context),
      ...(atOnce === 50 ? { sqlite: throughputOfBareSqlite } : {}),
      bullmq: (context: Context) => throughputOfBullMq(atOnce, context),
    },
  })),
  { key: 'idle', contestants: { linod: idleLinod, bullmq: idleBullMq } },
];
