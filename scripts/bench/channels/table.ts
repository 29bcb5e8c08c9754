// What is compared with what, and what is aimed at.

import { type Aim, atLeast, atMost } from '../shared/aim.js';
import type { Reference } from '../shared/results.js';

export type Unit = 'a second' | 'ms' | 'µs' | 'a minute' | 'ms a minute';

export interface Comparison {
  readonly with: string;
  readonly number: Reference;
  /** Of our number divided by that. Without: for information. */
  readonly aim?: Aim;
  /** It is the least that any client on Node can do. */
  readonly isBare?: boolean;
}

export interface Line {
  readonly work: string;
  readonly layer: 'Redis' | 'PubSub' | 'SQLite' | 'memory';
  readonly number: Reference;
  readonly unit: Unit;
  /** Of the number itself. */
  readonly aim?: Aim;
  readonly comparisons: readonly Comparison[];
}

export const lines: readonly Line[] = [
  {
    work: 'one after the other, sent',
    layer: 'Redis',
    number: 'sequential.redis.sent',
    unit: 'a second',
    comparisons: [
      { with: 'channels_redis', number: 'sequential.python.sent', aim: atLeast(5) },
      { isBare: true, with: 'bare ioredis', number: 'sequential.bare.sent', aim: atLeast(0.9) },
    ],
  },
  {
    work: 'one after the other, received',
    layer: 'Redis',
    number: 'sequential.redis.received',
    unit: 'a second',
    comparisons: [
      { with: 'channels_redis', number: 'sequential.python.received', aim: atLeast(5) },
      { isBare: true, with: 'bare ioredis', number: 'sequential.bare.received' },
    ],
  },
  {
    work: '50 in flight, received',
    layer: 'Redis',
    number: 'in-flight.redis.received',
    unit: 'a second',
    comparisons: [
      { with: 'channels_redis', number: 'in-flight.python.received', aim: atLeast(22) },
      { isBare: true, with: 'bare ioredis', number: 'in-flight.bare.received' },
    ],
  },
  {
    work: 'batches of 100, received',
    layer: 'Redis',
    number: 'batches.redis.received',
    unit: 'a second',
    comparisons: [
      { with: 'channels_redis, 50 in flight', number: 'in-flight.python.received', aim: atLeast(40) },
      { isBare: true, with: 'pipelines of scripts', number: 'batches.bare.received', aim: atLeast(0.7) },
    ],
  },
  {
    work: 'Redis CPU a message, one after the other',
    layer: 'Redis',
    number: 'sequential.redis.redisUs',
    unit: 'µs',
    comparisons: [
      { with: 'channels_redis', number: 'sequential.python.redisUs', aim: atMost(0.15) },
      { isBare: true, with: 'bare ioredis', number: 'sequential.bare.redisUs' },
    ],
  },
  {
    work: 'Redis CPU a message, 50 in flight',
    layer: 'Redis',
    number: 'in-flight.redis.redisUs',
    unit: 'µs',
    comparisons: [
      { with: 'channels_redis', number: 'in-flight.python.redisUs', aim: atMost(0.15) },
      { isBare: true, with: 'bare ioredis', number: 'in-flight.bare.redisUs' },
    ],
  },
  {
    work: 'Redis CPU a message, batches of 100',
    layer: 'Redis',
    number: 'batches.redis.redisUs',
    unit: 'µs',
    comparisons: [
      { with: 'channels_redis, 50 in flight', number: 'in-flight.python.redisUs', aim: atMost(0.15) },
      { isBare: true, with: 'pipelines of scripts', number: 'batches.bare.redisUs' },
    ],
  },
  ...pingPong('Redis', 'ping-pong', 'redis', 'python', 'bare', [0.3, 0.5]),
  ...[100, 1000].map(
    (members): Line => ({
      work: `group of ${members}, delivered`,
      layer: 'Redis',
      number: `group-${members}.redis.delivered`,
      unit: 'a second',
      comparisons: [
        {
          with: 'channels_redis',
          number: `group-${members}.python.delivered`,
          aim: atLeast(members === 100 ? 10 : 15),
        },
        { isBare: true, with: 'bare ioredis', number: `group-${members}.bare.delivered` },
      ],
    }),
  ),
  {
    work: 'one after the other, sent',
    layer: 'PubSub',
    number: 'pubsub.pubsub.sent',
    unit: 'a second',
    comparisons: [
      { with: 'channels_redis PubSub', number: 'pubsub.pythonPubSub.sent', aim: atLeast(1.3) },
      { isBare: true, with: 'bare ioredis', number: 'pubsub.barePubSub.sent', aim: atLeast(0.9) },
    ],
  },
  ...pingPong('PubSub', 'pubsub-ping-pong', 'pubsub', 'pythonPubSub', 'barePubSub', [0.8]),
  {
    work: 'group of 1000, delivered',
    layer: 'PubSub',
    number: 'pubsub-group-1000.pubsub.delivered',
    unit: 'a second',
    comparisons: [
      {
        with: 'channels_redis PubSub',
        number: 'pubsub-group-1000.pythonPubSub.delivered',
        aim: atLeast(1),
      },
    ],
  },
  {
    work: 'idle worker, 10 channels: commands',
    layer: 'Redis',
    number: 'idle.redis.commands',
    unit: 'a minute',
    comparisons: [
      { with: 'channels_redis', number: 'idle.python.commands', aim: atMost(0.5) },
      { isBare: true, with: 'bare ioredis', number: 'idle.bare.commands' },
    ],
  },
  {
    work: 'idle worker, 10 channels: CPU',
    layer: 'Redis',
    number: 'idle.redis.cpuMs',
    unit: 'ms a minute',
    comparisons: [
      { with: 'channels_redis', number: 'idle.python.cpuMs', aim: atMost(0.5) },
      { isBare: true, with: 'bare ioredis', number: 'idle.bare.cpuMs' },
    ],
  },
  {
    work: 'one after the other, received',
    layer: 'SQLite',
    number: 'sequential.sqlite.received',
    unit: 'a second',
    aim: atLeast(40_000),
    comparisons: [
      { with: 'our Redis layer', number: 'sequential.redis.received', aim: atLeast(1) },
      { isBare: true, with: 'bare better-sqlite3', number: 'sequential.bareSqlite.received' },
    ],
  },
  {
    work: 'batches of 100, received',
    layer: 'SQLite',
    number: 'batches.sqlite.received',
    unit: 'a second',
    aim: atLeast(250_000),
    comparisons: [
      { with: 'our Redis layer', number: 'batches.redis.received', aim: atLeast(1) },
      { isBare: true, with: 'bare better-sqlite3', number: 'batches.bareSqlite.received' },
    ],
  },
  ...(['p50', 'p99'] as const).map(
    (quantile): Line => ({
      work: `ping-pong ${quantile}`,
      layer: 'SQLite',
      number: `ping-pong.sqlite.${quantile}`,
      unit: 'ms',
      aim: atMost(quantile === 'p50' ? 0.2 : 2),
      comparisons: [
        { with: 'our Redis layer', number: `ping-pong.redis.${quantile}`, aim: atMost(1) },
        { isBare: true, with: 'bare better-sqlite3', number: `ping-pong.bareSqlite.${quantile}` },
      ],
    }),
  ),
  {
    work: 'one after the other, received',
    layer: 'memory',
    number: 'sequential.memory.received',
    unit: 'a second',
    aim: atLeast(500_000),
    comparisons: [],
  },
  {
    work: 'one after the other, nobody receives: sent',
    layer: 'Redis',
    number: 'unattended.redis.sent',
    unit: 'a second',
    comparisons: [{ with: 'BullMQ', number: 'unattended.bullmq.sent', aim: atLeast(1.2) }],
  },
  {
    work: 'one after the other, sent',
    layer: 'Redis',
    number: 'sequential.redis.sent',
    unit: 'a second',
    comparisons: [{ with: 'BullMQ', number: 'sequential.bullmq.sent', aim: atLeast(1.2) }],
  },
  {
    work: 'from send to receiver, p50',
    layer: 'Redis',
    number: 'one-way.redis.p50',
    unit: 'ms',
    comparisons: [{ with: 'BullMQ', number: 'one-way.bullmq.p50', aim: atMost(0.5) }],
  },
  {
    work: 'from send to receiver, p50',
    layer: 'SQLite',
    number: 'one-way.sqlite.p50',
    unit: 'ms',
    comparisons: [{ with: 'BullMQ', number: 'one-way.bullmq.p50' }],
  },
];

/** The times there and back: p50 and p99, as far as there are aims. */
function pingPong(
  layer: Line['layer'],
  experiment: string,
  ours: string,
  theirs: string,
  bare: string,
  aims: readonly number[],
): Line[] {
  return ['p50', 'p99'].map((quantile, i) => {
    const aim = aims[i];
    return {
      work: `ping-pong ${quantile}`,
      layer,
      number: `${experiment}.${ours}.${quantile}`,
      unit: 'ms',
      comparisons: [
        {
          with: layer === 'PubSub' ? 'channels_redis PubSub' : 'channels_redis',
          number: `${experiment}.${theirs}.${quantile}`,
          ...(aim === undefined ? {} : { aim: atMost(aim) }),
        },
        { isBare: true, with: 'bare ioredis', number: `${experiment}.${bare}.${quantile}` },
      ],
    };
  });
}
