// What is compared with what, and what is aimed at.

import { type Aim, atLeast, atMost } from '../shared/aim.js';
import type { Reference } from '../shared/results.js';

export type Unit = 'a second' | 'µs' | 'ms' | '% of a core' | 'MiB';

export interface Line {
  readonly work: string;
  readonly unit: Unit;
  readonly number: Reference;
  readonly aim?: Aim;
  /** Peers and what was found of them; the aim is of our number divided by theirs. */
  readonly beside: ReadonlyArray<{ readonly name: string; readonly number: Reference; readonly aim?: Aim }>;
}

export const lines: readonly Line[] = [
  ...everySecond(1000, { p50: 10, p99: 50, cpu: 15, rss: 120 }),
  ...everySecond(10, { p99: 15, cpu: 1.5 }),
  ...runNow('sqlite', 'SQLite', [2, 10]),
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
    beside: [{ name: 'BullMQ', number: 'requests-50.bullmq.runs', aim: atLeast(1.2) }],
  },
];

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
    beside: [{ name: 'BullMQ', number: `run-now.bullmq.${quantile}` }],
  }));
}
