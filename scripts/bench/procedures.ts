// Measures the procedures that ship.
//
//     npm run bench:procedures -- [--only KEY]… [--rounds 1] [--quick] [--json] [--write FILE]
//
// They run as they do for users: in a worker that is a process of its own, of a site in a temporary directory, over data that are
// written into its database before. The medians of the rounds are printed, beside what is aimed at; `--write` puts them
// into a Markdown file, between its marks. Needs Linux.
//
// Exit codes: 0 measured, whether the aims were reached or not; 1 failed; 2 used wrongly.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { version } from '../../src/version.js';
import { type Experiment, experiments } from './procedures/experiments.js';
import { lines } from './procedures/table.js';
import { parseComparisonFlags } from './shared/flags.js';
import { load, processors } from './shared/machine.js';
import { writeBetweenMarks } from './shared/markdown.js';
import { say } from './shared/progress.js';
import { report, rowsOf } from './shared/report.js';
import { Results } from './shared/results.js';

const flags = parseComparisonFlags(
  'procedures',
  experiments.map(({ key }) => key),
  { rounds: 1 },
);
const wanted = experiments.filter(({ key }) => flags.isWanted(key));
const directory = await mkdtemp(join(tmpdir(), 'bench-procedures-'));
const results = new Results();
try {
  await main();
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const [startedAt, loadBefore] = [performance.now(), load()];
  for (let round = 1; round <= flags.rounds; round++) {
    for (const experiment of wanted) await measure(experiment, round);
  }
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const preface = [
    `linod ${version}, Node.js ${process.version}, SQLite.`,
    `${processors()}; load average ${loadBefore.toFixed(2)} before, ${load().toFixed(2)} after ${seconds} s, most of it the benchmark's own.`,
    flags.quick
      ? 'A quick run, over less data than the table says: 100,000 rows, 50,000 keys, 100,000 jobs.'
      : `Rounds: ${flags.rounds}.`,
  ];
  const text = report(preface, lines, results);
  if (flags.write !== undefined) await writeBetweenMarks(flags.write, 'bench:procedures', text);
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ preface, rows: rowsOf(lines, results), runs: results }, null, 2)}\n`
      : `${text}\n`,
  );
}

async function measure({ key, contestants }: Experiment, round: number): Promise<void> {
  for (const [name, run] of Object.entries(contestants)) {
    say(`${key}: ${name}, round ${round} of ${flags.rounds}`);
    const own = join(directory, `${key}-${name}-${round}`);
    await mkdir(own);
    results.add(key, name, await run({ directory: own, quick: flags.quick }));
    await rm(own, { recursive: true, force: true });
  }
}
