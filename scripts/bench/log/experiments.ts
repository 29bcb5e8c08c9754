// What is measured, and on whom. The contestants of an experiment take turns.

import type { Found } from '../shared/results.js';
import { calls } from './calls.js';
import type { Context } from './context.js';
import { latency } from './latency.js';
import { levels } from './levels.js';
import { onRedis, onSqlite } from './linod.js';
import { hundredSenders, writerAway } from './memory.js';
import { linosWay, pino, rsyslog } from './peers.js';
import { replay } from './replay.js';
import { takeover } from './takeover.js';
import { verification } from './verification.js';

/** Undefined when it is not there to be measured. */
type Measure = (context: Context) => Promise<Found | undefined>;

export interface Experiment {
  /** By which `--only` and the table know it. */
  readonly key: string;
  readonly contestants: Readonly<Record<string, Measure>>;
  /** Whether further rounds would tell no more. */
  readonly once?: boolean;
}

export const experiments: readonly Experiment[] = [
  { key: 'four', contestants: { lino: linosWay, rsyslog, pino, sqlite: onSqlite, redis: onRedis } },
  { key: 'calls', contestants: { linod: calls } },
  {
    key: 'latency',
    once: true,
    contestants: {
      gathered: (context) => latency(context),
      direct: (context) => latency(context, { logGatherMs: 0, logOrderMs: 0 }),
    },
  },
  { key: 'memory', once: true, contestants: { writer: hundredSenders, sender: writerAway } },
  { key: 'verify', once: true, contestants: { linod: verification } },
  {
    key: 'replay',
    once: true,
    contestants: {
      alive: (context) => replay(true, context),
      dead: (context) => replay(false, context),
    },
  },
  { key: 'takeover', once: true, contestants: { killed: takeover } },
  { key: 'levels', once: true, contestants: { command: levels } },
];
