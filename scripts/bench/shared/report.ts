// Results beside those of peers, as people read them: the same Markdown on a terminal and in docs/benchmarks.md.

import { type Aim, reaches, signOf } from './aim.js';
import { markdown } from './markdown.js';
import type { Reference, Results } from './results.js';

export type Unit = 'a second' | 'MB/s' | 'ns' | 'µs' | 'ms' | '% of a core' | 's a minute' | 'MiB';

/** What is compared with what, and what is aimed at. */
export interface Line {
  readonly work: string;
  readonly unit: Unit;
  readonly number: Reference;
  readonly aim?: Aim;
  /** Peers and what was found of them; the aim is of our number divided by theirs. */
  readonly beside: ReadonlyArray<{ readonly name: string; readonly number: Reference; readonly aim?: Aim }>;
}

/** A line of the table with its numbers, in the line's unit. */
export interface Row {
  readonly work: string;
  readonly unit: Unit;
  readonly linod: number;
  readonly beside: ReadonlyArray<{ readonly name: string; readonly number: number }>;
  readonly aim: string;
  /** Undefined where nothing is aimed at, or the one to compare with was not measured. */
  readonly isReached: boolean | undefined;
}

/** The rows of what was measured. */
export function rowsOf(lines: readonly Line[], results: Results): Row[] {
  return lines.flatMap((line) => {
    const linod = results.median(line.number);
    return linod === undefined ? [] : [rowOf(line, linod, results)];
  });
}

/** What was measured when, in sentences; then the table. */
export function report(preface: readonly string[], lines: readonly Line[], results: Results): string {
  return [
    ...preface,
    '',
    ...markdown(
      ['work', 'linod', 'aim', 'reached', 'beside'],
      rowsOf(lines, results).map((row) => [
        row.work,
        formatted(row.linod, row.unit),
        row.aim,
        row.isReached === undefined ? '' : row.isReached ? 'yes' : 'no',
        row.beside.map(({ name, number }) => `${name} ${formatted(number, row.unit)}`).join(', '),
      ]),
      [1, 2],
    ),
  ].join('\n');
}

function rowOf({ work, unit, aim, beside }: Line, linod: number, results: Results): Row {
  const peers = beside.flatMap(({ name, number, aim }) => {
    const theirs = results.median(number);
    return theirs === undefined ? [] : [{ name, number: theirs, aim }];
  });
  const judged = [
    ...(aim === undefined ? [] : [{ text: textOf(aim, unit), isReached: reaches(linod, aim) }]),
    ...peers.flatMap(({ name, number, aim }) =>
      aim === undefined
        ? []
        : [{ text: `${signOf(aim)} ${aim.value}× ${name}`, isReached: reaches(linod / number, aim) }],
    ),
  ];
  return {
    ...{ work, unit, linod },
    beside: peers.map(({ name, number }) => ({ name, number })),
    aim: judged.map(({ text }) => text).join(', '),
    isReached: judged.length === 0 ? undefined : judged.every(({ isReached }) => isReached),
  };
}

function textOf(aim: Aim, unit: Unit): string {
  return `${signOf(aim)} ${formatted(aim.value, unit)}`;
}

function formatted(value: number, unit: Unit): string {
  switch (unit) {
    case 'a second':
      return `${Math.round(value).toLocaleString('en')}/s`;
    case 'MB/s':
      return `${Math.round(value).toLocaleString('en')} MB/s`;
    case 'ns':
      return `${value.toFixed(0)} ns`;
    case 'µs':
      if (value >= 1e6) return `${(value / 1e6).toFixed(1)} s`;
      return value >= 1000 ? `${(value / 1000).toFixed(1)} ms` : `${value.toFixed(value < 10 ? 2 : 1)} µs`;
    case 'ms':
      return `${value.toFixed(value < 10 ? 2 : 0)} ms`;
    case '% of a core':
      return `${value.toFixed(1)} %`;
    case 's a minute':
      return `${value.toFixed(3)} s/min`;
    case 'MiB':
      return `${value.toFixed(0)} MiB`;
  }
}
