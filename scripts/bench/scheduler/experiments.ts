// What is measured, and on whom. The contestants of an experiment take turns.

import type { Found } from '../shared/results.js';
import type { Context } from './context.js';
import { rulesOfBullMq, rulesOfLinod } from './every-second.js';
import { runNow, runNowOfBullMq, throughput, throughputOfBullMq } from './requests.js';

/** Undefined when it is not there to be measured. */
type Measure = (context: Context) => Promise<Found | undefined>;

export interface Experiment {
  /** By which `--only` and the table know it. */
  readonly key: string;
  readonly contestants: Readonly<Record<string, Measure>>;
}

export const experiments: readonly Experiment[] = [
  ...[1000, 10].map((rules) => ({
    key: `rules-${rules}`,
    contestants: {
      linod: (context: Context) => rulesOfLinod(rules, context),
      bullmq: (context: Context) => rulesOfBullMq(rules, context),
    },
  })),
  { key: 'run-now', contestants: { sqlite: runNow, bullmq: runNowOfBullMq } },
  ...[1, 50].map((atOnce) => ({
    key: `requests-${atOnce}`,
    contestants: {
      linod: (context: Context) => throughput(atOnce, context),
      bullmq: (context: Context) => throughputOfBullMq(atOnce, context),
    },
  })),
];
