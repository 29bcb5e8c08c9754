// Measures the scheduler side by side with the real peers, in one run.
//
//     npm run bench:scheduler -- [--only KEY]… [--rounds 3] [--quick] [--json] [--write FILE]
//
// linod runs as it does for its users: sites in temporary directories, with workers that are processes of their own. Beside
// it run BullMQ, on a Redis that is started for it, and for the question when a rule is due rrule, Debian's dateutil and
// croner. BullMQ and croner are fetched from the registry for the time of the run; who is not there is left out. The
// contestants take turns. The medians of the rounds are printed, beside what is aimed at; `--write` puts them into a
// Markdown file, between its marks. Needs Linux and redis-server, and PostgreSQL where it is to be measured, too.
//
// Exit codes: 0 measured, whether the aims were reached or not; 1 failed; 2 used wrongly.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { version } from '../../src/version.js';
import type { Context } from './scheduler/context.js';
import { type Experiment, experiments } from './scheduler/experiments.js';
import { lines } from './scheduler/table.js';
import { parseComparisonFlags } from './shared/flags.js';
import { load, processors } from './shared/machine.js';
import { writeBetweenMarks } from './shared/markdown.js';
import { fetchPeer } from './shared/npm-packages.js';
import { say } from './shared/progress.js';
import { report, rowsOf } from './shared/report.js';
import { Results } from './shared/results.js';

const flags = parseComparisonFlags(
  'scheduler',
  experiments.map(({ key }) => key),
  { rounds: 3 },
);
const wanted = experiments.filter(({ key }) => flags.isWanted(key));
const directory = await mkdtemp(join(tmpdir(), 'bench-scheduler-'));
const results = new Results();
const versions = new Set<string>();
try {
  await main();
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const peers = { bullmq: await peer('bullmq'), croner: await peer('croner') };
  const [startedAt, loadBefore] = [performance.now(), load()];
  for (const experiment of wanted) await measure(experiment, peers);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const preface = [
    `linod ${version}, Node.js ${process.version}; ${[...versions].join(', ')}.`,
    `${processors()}; load average ${loadBefore.toFixed(2)} before, ${load().toFixed(2)} after ${seconds} s, most of it the benchmark's own.`,
    flags.rounds === 1 ? 'One round.' : `Medians of ${flags.rounds} rounds.`,
  ];
  const text = report(preface, lines, results);
  if (flags.write !== undefined) await writeBetweenMarks(flags.write, 'bench:scheduler', text);
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ preface, rows: rowsOf(lines, results), runs: results }, null, 2)}\n`
      : `${text}\n`,
  );
}

async function measure(
  { key, contestants, once = false }: Experiment,
  peers: Context['peers'],
): Promise<void> {
  const rounds = once ? 1 : flags.rounds;
  for (let round = 1; round <= rounds; round++) {
    for (const [name, run] of Object.entries(contestants)) {
      say(`${key}: ${name}, round ${round} of ${rounds}`);
      const own = join(directory, `${key}-${name}-${round}`);
      await mkdir(own);
      const found = await run({ directory: own, peers, versions, quick: flags.quick });
      if (found !== undefined) results.add(key, name, found);
      await rm(own, { recursive: true, force: true });
    }
  }
}

/** Installs a peer if somebody is to be compared with it. @returns where; undefined when it is left out */
async function peer(name: keyof Context['peers']): Promise<string | undefined> {
  if (!wanted.some(({ contestants }) => name in contestants)) return undefined;
  const own = join(directory, name);
  const version = await fetchPeer(own, name);
  if (version === undefined) return undefined;
  versions.add(`${name} ${version}`);
  return own;
}
