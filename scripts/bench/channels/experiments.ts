// What is measured, on whom, and how much of it: so much that a run takes about half a second, of everyone.

import type { RedisServer } from '../shared/redis-server.js';
import type { Found } from '../shared/results.js';
import type { Contestant, Pair } from './contestants.js';
import { type Flow, flow, group, oneWay, pingPong, unattended } from './measure.js';

/** What an experiment is run with. */
export interface Run {
  readonly pair: Pair;
  readonly redis: RedisServer;
  /** Counts up from 0, which is the warming up. */
  readonly run: number;
  /** Divides the counts; 1 unless the benchmark is only tried out. */
  readonly divisor: number;
}

export interface Experiment {
  /** By which `--only` and the table know it. */
  readonly key: string;
  readonly contestants: readonly Contestant[];
  readonly measure: (run: Run) => Promise<Found>;
}

/** How many messages for whom. */
type Counts = Readonly<Partial<Record<Contestant, number>>>;

export const channelCounts = [1, 10, 100, 1000] as const;
export const messageSizes = [100, 10_000, 1_000_000] as const;

export const experiments: readonly Experiment[] = [
  flowing(
    'sequential',
    { inFlight: 1 },
    {
      python: 1500,
      redis: 8000,
      bare: 8000,
      sqlite: 30_000,
      bareSqlite: 30_000,
      memory: 200_000,
      bullmq: 4000,
    },
  ),
  flowing(
    'in-flight',
    { inFlight: 50 },
    { python: 1500, redis: 40_000, bare: 20_000, sqlite: 50_000, memory: 200_000 },
  ),
  flowing('batches', { batch: 100 }, { redis: 80_000, bare: 40_000, sqlite: 150_000, bareSqlite: 150_000 }),
  {
    key: 'ping-pong',
    contestants: ['python', 'redis', 'bare', 'sqlite', 'bareSqlite'],
    measure: ({ pair, redis, divisor }) =>
      pingPong(pair, redis, (pair.name === 'python' ? 600 : 2500) / divisor),
  },
  grouping('group-100', 100, { python: 200, redis: 2000, bare: 2000 }),
  grouping('group-1000', 1000, { python: 20, redis: 200, bare: 200 }),
  flowing('pubsub', { inFlight: 1 }, { pythonPubSub: 4000, pubsub: 8000, barePubSub: 8000 }),
  {
    key: 'pubsub-ping-pong',
    contestants: ['pythonPubSub', 'pubsub', 'barePubSub'],
    measure: ({ pair, redis, divisor }) => pingPong(pair, redis, 2500 / divisor),
  },
  grouping('pubsub-group-1000', 1000, { pythonPubSub: 300, pubsub: 300 }),
  {
    key: 'unattended',
    contestants: ['redis', 'bullmq'],
    measure: ({ pair, divisor }) => unattended(pair, 6000 / divisor),
  },
  {
    key: 'one-way',
    contestants: ['redis', 'bullmq', 'sqlite'],
    measure: ({ pair, divisor }) => oneWay(pair, 400 / divisor),
  },
  ...channelCounts.map((channels) =>
    flowing(
      `channels-${channels}`,
      { inFlight: 50, channels },
      { python: 1000, redis: 20_000, sqlite: 20_000, memory: 100_000 },
    ),
  ),
  ...messageSizes.map((bytes) => flowing(`bytes-${bytes}`, { inFlight: 50, bytes }, countsFor(bytes))),
];

function flowing(key: string, work: Partial<Flow>, counts: Counts): Experiment {
  return {
    key,
    contestants: contestantsIn(counts),
    measure: ({ pair, redis, divisor }) => {
      const { channels = 1, batch = 1 } = work;
      // A whole number of batches, and of messages for each channel.
      const unit = channels * batch;
      const count = Math.max(1, Math.round((counts[pair.name] ?? 0) / divisor / unit)) * unit;
      return flow(pair, redis, {
        ...{ name: key, channels, count, inFlight: 1, batch, bytes: 100 },
        ...work,
      });
    },
  };
}

function grouping(key: string, members: number, counts: Counts): Experiment {
  return {
    key,
    contestants: contestantsIn(counts),
    measure: ({ pair, redis, run, divisor }) => {
      const count = Math.ceil((counts[pair.name] ?? 0) / divisor);
      return group(pair, redis, { members, count, run });
    },
  };
}

function countsFor(bytes: number): Counts {
  if (bytes >= 1_000_000) return { python: 50, redis: 100, sqlite: 100, memory: 300 };
  return { python: 1000, redis: 10_000, sqlite: 10_000, memory: 50_000 };
}

function contestantsIn(counts: Counts): Contestant[] {
  return Object.keys(counts) as Contestant[];
}
