// What is compared with what, and what is aimed at.

import { type Aim, atLeast, atMost } from '../shared/aim.js';
import type { Line } from '../shared/report.js';

const files = '4 processes → one file';

export const lines: readonly Line[] = [
  four('sqlite', 'SQLite', { lino: atLeast(12), rsyslog: atLeast(2.5), pino: atLeast(2) }),
  four('redis', 'Redis', { lino: atLeast(6) }),
  {
    work: 'processor time of the logger coroutine, SQLite',
    unit: 'µs',
    number: 'four.sqlite.server',
    aim: atMost(0.5),
    beside: [
      { name: "Lino's server", number: 'four.lino.server' },
      { name: 'rsyslogd', number: 'four.rsyslog.server' },
    ],
  },
  {
    work: 'the same, Redis',
    unit: 'µs',
    number: 'four.redis.server',
    aim: atMost(0.5),
    beside: [],
  },
  {
    work: 'processor time of the sending process, SQLite',
    unit: 'µs',
    number: 'four.sqlite.sender',
    beside: [
      { name: 'on Redis', number: 'four.redis.sender' },
      { name: 'pino', number: 'four.pino.sender' },
      { name: 'to rsyslog', number: 'four.rsyslog.sender' },
      { name: "Lino's", number: 'four.lino.sender' },
    ],
  },
  {
    work: 'a call of `logger.info`, all that its thread does for it',
    unit: 'µs',
    number: 'calls.linod.info',
    aim: atMost(2),
    beside: [],
  },
  {
    work: 'the same with two fields',
    unit: 'µs',
    number: 'calls.linod.fields',
    beside: [],
  },
  { work: 'a call below the level', unit: 'ns', number: 'calls.linod.off', aim: atMost(100), beside: [] },
  ...idle('gathered', 'by default', [60, 120]),
  ...idle('direct', 'with `logGatherMs: 0` and `logOrderMs: 0`', [5, 20]),
  {
    work: 'memory of the worker at its peak, 100 senders',
    unit: 'MiB',
    number: 'memory.writer.peak',
    aim: atMost(150),
    beside: [],
  },
  {
    work: 'writer away, 3.6 M records: what a sender has more than after 0.6 M',
    unit: 'MiB',
    number: 'memory.sender.growth',
    aim: atMost(10),
    beside: [{ name: 'in all', number: 'memory.sender.rss' }],
  },
  {
    work: '`linod log verify`, 1 GB',
    unit: 'MB/s',
    number: 'verify.linod.rate',
    aim: atLeast(500),
    beside: [],
  },
  {
    work: 'the same: memory at its peak',
    unit: 'MiB',
    number: 'verify.linod.peak',
    aim: atMost(150),
    beside: [],
  },
  {
    work: 'replay of 1 M spooled records by their process',
    unit: 'a second',
    number: 'replay.alive.rate',
    aim: atLeast(200_000),
    beside: [],
  },
  {
    work: 'the same when their process was killed',
    unit: 'a second',
    number: 'replay.dead.rate',
    aim: atLeast(200_000),
    beside: [],
  },
  {
    work: 'takeover after `kill -9` of the worker that writes: p50 of 10',
    unit: 'ms',
    number: 'takeover.killed.p50',
    aim: atMost(2000),
    beside: [],
  },
  {
    work: 'the same: the longest',
    unit: 'ms',
    number: 'takeover.killed.max',
    aim: atMost(2000),
    beside: [],
  },
  {
    work: '`linod log level` → 4 running processes, from the start of the command: p50 of 40',
    unit: 'ms',
    number: 'levels.command.p50',
    aim: atMost(1000),
    beside: [],
  },
  {
    work: 'the same: the longest',
    unit: 'ms',
    number: 'levels.command.max',
    aim: atMost(1000),
    beside: [],
  },
];

function four(
  contestant: string,
  layer: string,
  aims: Readonly<Partial<Record<'lino' | 'rsyslog' | 'pino', Aim>>>,
): Line {
  const peer = (name: string, key: keyof typeof aims) => {
    const aim = aims[key];
    const number = `four.${key}.rate` as const;
    return aim === undefined ? { name, number } : { name, number, aim };
  };
  return {
    work: `${files}, ${layer}`,
    unit: 'a second',
    number: `four.${contestant}.rate`,
    beside: [peer("Lino's way", 'lino'), peer('rsyslog', 'rsyslog'), peer('pino', 'pino')],
  };
}

function idle(contestant: string, how: string, aims: readonly [p50: number, p99: number]): Line[] {
  return (['p50', 'p99'] as const).map((quantile, i) => ({
    work: `record → file, idle, ${how}: ${quantile}`,
    unit: 'ms',
    number: `latency.${contestant}.${quantile}`,
    aim: atMost(aims[i] ?? Number.NaN),
    beside: [],
  }));
}
