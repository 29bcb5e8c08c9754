// What the benchmarks have in common: the flags, rounds in which the contestants take turns, and the table of medians.
//
//     [--only KEY]… [--rounds N] [--quick] [--json]
//
// A quick run only shows that everything can be measured. Progress goes to stderr, the table to stdout.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** Numbers that one measurement finds, by their names. */
export type Found = Readonly<Record<string, number>>;

export interface Context {
  /** An empty directory for this measurement. */
  readonly directory: string;
  readonly quick: boolean;
}

/** Undefined when the contestant is not there to be measured. */
export type Measure = (context: Context) => Promise<Found | undefined>;

export interface Experiment {
  /** By which `--only` knows it. */
  readonly key: string;
  /** One measurement is enough: it takes medians itself. */
  readonly once?: boolean;
  readonly contestants: Readonly<Record<string, Measure>>;
}

/** What is measured, and what has to be closed afterwards. */
export interface Contest {
  readonly experiments: readonly Experiment[];
  readonly close?: (() => Promise<void>) | undefined;
}

/** `experiment.contestant.number`. */
export type Reference = `${string}.${string}.${string}`;

/** A row of the table: our number, and what it should be. */
export interface Row {
  readonly work: string;
  readonly number: Reference;
  readonly unit: '/s' | 'ms' | 'µs' | 'MB/s' | '%' | 's' | 'MiB' | 'KiB';
  /** A limit of the number itself. */
  readonly aim?: readonly ['≥' | '≤', number];
  /** Peers, and limits of our number divided by theirs. */
  readonly beside?: ReadonlyArray<{
    readonly name: string;
    readonly number: Reference;
    readonly aim?: readonly ['≥' | '≤', number];
  }>;
}

/** Says on stderr how far it is. */
export function say(text: string): void {
  process.stderr.write(`${(performance.now() / 1000).toFixed(0).padStart(4)} s  ${text}\n`);
}

/** The quantiles of some times. */
export function quantiles(values: readonly number[]): { p50: number; p99: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

/** Milliseconds of the monotonic clock, which is one for all processes of a machine (Python's `time.monotonic_ns`). */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** The exit code of wrong flags is 2, of a measurement that failed 1. */
export async function contest(
  rows: readonly Row[],
  rounds: number,
  prepare: (directory: string, isWanted: (key: string) => boolean) => Promise<Contest>,
): Promise<void> {
  const flags = parseFlags(rounds);
  const home = await mkdtemp(join(tmpdir(), 'linod-bench-'));
  const found = new Map<Reference, number[]>();
  const loadBefore = loadavg()[0] ?? 0;
  let close: Contest['close'];
  try {
    const prepared = await prepare(home, flags.isWanted);
    const { experiments } = prepared;
    close = prepared.close;
    for (const { key, once, contestants } of experiments) {
      if (!flags.isWanted(key)) continue;
      for (let round = 1; round <= (once ? 1 : flags.rounds); round++) {
        for (const [name, measure] of Object.entries(contestants)) {
          say(`${key}: ${name}, round ${round}`);
          const directory = join(home, `${key}-${name}-${round}`);
          await mkdir(directory);
          const numbers = (await measure({ directory, quick: flags.quick })) ?? {};
          for (const [number, value] of Object.entries(numbers)) {
            const reference: Reference = `${key}.${name}.${number}`;
            found.set(reference, [...(found.get(reference) ?? []), value]);
          }
          await rm(directory, { recursive: true, force: true });
        }
      }
    }
  } finally {
    await close?.();
    await rm(home, { recursive: true, force: true });
  }
  const load = `load ${loadBefore.toFixed(1)} before`;
  const machine = `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}, ${load}, medians of ${flags.rounds}`;
  const text = flags.json
    ? JSON.stringify({ machine, found: Object.fromEntries(found) }, null, 2)
    : `${machine}\n\n${table(rows, found)}`;
  process.stdout.write(`${text}\n`);
}

function parseFlags(rounds: number) {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        rounds: { type: 'string', default: String(rounds) },
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    if (!/^[1-9]\d?$/.test(values.rounds))
      throw new Error(`expected --rounds to be from 1 to 99, got: ${values.rounds}`);
    const { only, quick, json } = values;
    const isWanted = (key: string) => only === undefined || only.some((one) => key.startsWith(one));
    return { rounds: quick ? 1 : Number(values.rounds), quick, json, isWanted };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return process.exit(2);
  }
}

function table(rows: readonly Row[], found: ReadonlyMap<Reference, readonly number[]>): string {
  const median = (reference: Reference) => {
    const values = found.get(reference);
    return values === undefined ? undefined : quantiles(values).p50;
  };
  const cells = rows.flatMap(({ work, number, unit, aim, beside = [] }) => {
    const ours = median(number);
    if (ours === undefined) return [];
    const verdicts = aim === undefined ? [] : [reaches(ours, aim)];
    const aims = aim === undefined ? [] : [`${aim[0]} ${format(aim[1], unit)}`];
    const peers: string[] = [];
    for (const peer of beside) {
      const theirs = median(peer.number);
      if (theirs === undefined) continue;
      const ratio = ours / theirs;
      peers.push(`${peer.name} ${format(theirs, unit)} (${ratio.toFixed(2)}×)`);
      if (peer.aim === undefined) continue;
      aims.push(`${peer.aim[0]} ${peer.aim[1]}× ${peer.name}`);
      verdicts.push(reaches(ratio, peer.aim));
    }
    const verdict = verdicts.length === 0 ? '' : verdicts.every(Boolean) ? 'yes' : 'no';
    return [[work, format(ours, unit), aims.join(', '), verdict, peers.join(', ')]];
  });
  const titles = ['work', 'linod', 'aim', 'reached', 'beside'];
  const widths = titles.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(titles), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line)].join('\n');
}

function reaches(value: number, [sign, limit]: readonly ['≥' | '≤', number]): boolean {
  return sign === '≥' ? value >= limit : value <= limit;
}

function format(value: number, unit: Row['unit']): string {
  if (unit === '/s') return `${Math.round(value).toLocaleString('en')}/s`;
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${unit}`;
}
