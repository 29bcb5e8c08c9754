// What is compared with what, and what is aimed at.

import { type Aim, atLeast, atMost } from '../shared/aim.js';
import type { Line, Unit } from '../shared/report.js';

export const lines: readonly Line[] = [
  ...nextRun('day', 'every 10 s, begun a day ago', 10),
  ...nextRun('year', 'every 10 s, begun a year ago', 10),
  ...nextRun('fiveYears', 'every 10 s, begun 5 years ago', 10),
  ...nextRun('daily', 'daily at 20:00 in Tallinn, begun 5 years ago', 25),
  ...nextRun('monthly', 'last working day of the month, begun 5 years ago', 40),
  ...everySecond(1000, { p50: 10, p99: 50, cpu: 15, rss: 120 }),
  ...everySecond(10, { p99: 15, cpu: 1.5 }),
  {
    work: '10,000 rules daily, idle: processor time',
    unit: 's a minute',
    number: 'daily-rules.many.cpu',
    aim: atMost(0.1),
    beside: [{ name: '10 rules', number: 'daily-rules.few.cpu' }],
  },
  {
    work: 'the same, with 1,000,000 jobs of history',
    unit: 's a minute',
    number: 'daily-rules.history.cpu',
    aim: atMost(0.1),
    beside: [{ name: '10 rules', number: 'daily-rules.few.cpu' }],
  },
  ...runNow('sqlite', 'SQLite', [2, 10]),
  ...runNow('postgres', 'PostgreSQL', [5, 20]),
  {
    work: 'requested runs, 1 at once',
    unit: 'a second',
    number: 'requests-1.linod.runs',
    beside: [{ name: 'BullMQ', number: 'requests-1.bullmq.runs' }],
  },
  {
    work: 'requested runs, 50 at once',
    unit: 'a second',
    number: 'requests-50.linod.runs',
    beside: [
      { name: 'BullMQ', number: 'requests-50.bullmq.runs', aim: atLeast(1.2) },
      { name: 'SQLite alone', number: 'requests-50.sqlite.runs' },
    ],
  },
  {
    work: 'idle worker: processor time',
    unit: 's a minute',
    number: 'idle.linod.cpu',
    aim: atMost(0.06),
    beside: [{ name: 'BullMQ', number: 'idle.bullmq.cpu' }],
  },
  {
    work: 'idle worker: memory',
    unit: 'MiB',
    number: 'idle.linod.rss',
    aim: atMost(80),
    beside: [{ name: 'BullMQ', number: 'idle.bullmq.rss' }],
  },
];

/** What one question costs, of the recurrence itself and through a rule. */
function nextRun(name: string, what: string, most: number): Line[] {
  const [own, ...others] = ['linod', 'rule', 'rrule', 'dateutil', 'croner'].map((contestant) => ({
    name: contestant === 'rule' ? 'through a rule' : contestant,
    number: `next-run.${contestant}.${name}` as const,
  }));
  if (own === undefined) return [];
  return [{ work: `next run: ${what}`, unit: 'µs', number: own.number, aim: atMost(most), beside: others }];
}

/** A rule for each of so many is due every second. */
function everySecond(
  rules: number,
  aims: Readonly<Partial<Record<'p50' | 'p99' | 'cpu' | 'rss', number>>>,
): Line[] {
  const of = (what: string, unit: Unit, name: string, aim: Aim | undefined): Line => ({
    work: `${rules.toLocaleString('en')} rules each second: ${what}`,
    unit,
    number: `rules-${rules}.linod.${name}`,
    ...(aim === undefined ? {} : { aim }),
    beside: [
      { name: 'BullMQ', number: `rules-${rules}.bullmq.${name}` },
      ...(name === 'cpu' ? [{ name: 'its Redis', number: `rules-${rules}.bullmq.redisCpu` } as const] : []),
    ],
  });
  const most = (name: keyof typeof aims) => {
    const value = aims[name];
    return value === undefined ? undefined : atMost(value);
  };
  return [
    of('runs', 'a second', 'runs', atLeast(rules)),
    of('late by, p50', 'ms', 'p50', most('p50')),
    of('late by, p99', 'ms', 'p99', most('p99')),
    of('processor time', '% of a core', 'cpu', most('cpu')),
    of('memory', 'MiB', 'rss', most('rss')),
    of('memory at its peak', 'MiB', 'peak', undefined),
  ];
}

function runNow(contestant: string, database: string, aims: readonly [p50: number, p99: number]): Line[] {
  return (['p50', 'p99'] as const).map((quantile, i) => ({
    work: `run now → started, ${database}: ${quantile}`,
    unit: 'ms',
    number: `run-now.${contestant}.${quantile}`,
    aim: atMost(aims[i] ?? Number.NaN),
    beside: [
      { name: 'BullMQ', number: `run-now.bullmq.${quantile}` },
      ...(contestant === 'postgres'
        ? [{ name: 'PostgreSQL alone', number: `run-now.bare.${quantile}` } as const]
        : []),
    ],
  }));
}
