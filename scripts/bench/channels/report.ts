// The results as people read them: the same Markdown on a terminal and in docs/benchmarks.md.

import { signOf } from '../shared/aim.js';
import { markdown } from '../shared/markdown.js';
import type { Results } from '../shared/results.js';
import { channelCounts, messageSizes } from './experiments.js';
import { missedAims } from './missed.js';
import { type Row, rowsOf } from './rows.js';
import { lines, type Unit } from './table.js';

/** What was measured when, in sentences; then the tables. */
export function report(preface: readonly string[], results: Results): string {
  const rows = rowsOf(lines, results);
  return [
    ...preface,
    '',
    ...markdown(
      ['work', 'layer', 'linod', 'beside', '', 'ratio', 'aim', 'reached'],
      rows.map((row) => [
        row.work,
        row.layer,
        formatted(row.ours, row.unit),
        row.with ?? '',
        row.theirs === undefined ? '' : formatted(row.theirs, row.unit),
        row.ratio === undefined ? '' : `${ratio(row.ratio)}×`,
        aimOf(row),
        row.isReached === undefined ? '' : row.isReached ? 'yes' : 'no',
      ]),
      [2, 4, 5, 6],
    ),
    ...missed(results),
    ...growth('channels', 'channels', channelCounts, results),
    ...growth('message size', 'bytes', messageSizes, results),
  ].join('\n');
}

/** Why an aim was missed, as far as the bare client tells. */
function missed(results: Results): readonly string[] {
  const rows = missedAims(lines, results).map((row) => {
    const shown = (value: number) => (row.of === undefined ? formatted(value, row.unit) : `${ratio(value)}×`);
    const aim = `${signOf(row.aim)} ${row.of === undefined ? formatted(row.aim.value, row.unit) : `${row.aim.value}× ${row.of}`}`;
    return [
      row.work,
      row.layer,
      aim,
      shown(row.ours),
      row.bare === undefined ? '' : shown(row.bare),
      row.doesBareReach === undefined ? '' : row.doesBareReach ? 'reaches it' : 'misses it, too',
    ];
  });
  if (rows.length === 0) return [];
  return [
    '',
    ...markdown(['aim that was missed', 'layer', 'aim', 'linod', 'bare client', 'which'], rows, [3, 4]),
  ];
}

const growthColumns = {
  python: 'channels_redis',
  redis: 'Redis',
  sqlite: 'SQLite',
  memory: 'memory',
} as const;

/** How many messages a second are received, as something grows. */
function growth(
  title: string,
  experiment: string,
  sizes: readonly number[],
  results: Results,
): readonly string[] {
  const contestants = Object.keys(growthColumns);
  const rows = sizes.map((size) => [
    experiment === 'bytes' ? bytesOf(size) : size.toLocaleString('en'),
    ...contestants.map((name) => {
      const found = results.median(`${experiment}-${size}.${name}.received`);
      return found === undefined ? '' : formatted(found, 'a second');
    }),
  ]);
  if (rows.every(([, ...cells]) => cells.every((cell) => cell === ''))) return [];
  return ['', ...markdown([title, ...Object.values(growthColumns)], rows, [0, 1, 2, 3, 4])];
}

function bytesOf(size: number): string {
  if (size >= 1_000_000) return `${size / 1_000_000} MB`;
  return size >= 1000 ? `${size / 1000} kB` : `${size} B`;
}

function aimOf({ aim, ratio: compared, unit }: Row): string {
  if (aim === undefined) return '';
  const value = compared === undefined ? formatted(aim.value, unit) : `${aim.value}×`;
  return `${signOf(aim)} ${value}`;
}

function formatted(value: number, unit: Unit): string {
  switch (unit) {
    case 'a second':
      return `${Math.round(value).toLocaleString('en')}/s`;
    case 'a minute':
      return `${Math.round(value).toLocaleString('en')}/min`;
    case 'ms a minute':
      return `${Math.round(value)} ms/min`;
    case 'ms':
      return `${value.toFixed(3)} ms`;
    case 'µs':
      return `${value.toFixed(1)} µs`;
  }
}

function ratio(value: number): string {
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
