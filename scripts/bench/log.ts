// Measures the way of a log record from end to end, side by side with the real peers, in one run.
//
//     npm run bench:log -- [--only KEY]… [--rounds 3] [--quick] [--json] [--write FILE]
//
// linod runs as it does for its users: a site with its worker, and processes that log with createLogger. Beside it run
// what Lino does (Python's SocketHandler and an asyncio server), rsyslog with imptcp, and pino processes that append to one
// file; pino is fetched from the registry for the time of the run, and who is not there is left out. The contestants
// take turns; each is timed until the last byte is on the disk, and then all records are counted. The medians of the
// rounds are printed, beside what is aimed at; `--write` puts them into a Markdown file, between its marks. Needs Linux
// and redis-server.
//
// Exit codes: 0 measured, whether the aims were reached or not; 1 failed, also when a record was lost; 2 used wrongly.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { version } from '../../src/version.js';
import { type Experiment, experiments } from './log/experiments.js';
import { lines } from './log/table.js';
import { parseComparisonFlags } from './shared/flags.js';
import { load, processors } from './shared/machine.js';
import { writeBetweenMarks } from './shared/markdown.js';
import { fetchPeer } from './shared/npm-packages.js';
import { say } from './shared/progress.js';
import { report, rowsOf } from './shared/report.js';
import { Results } from './shared/results.js';

const flags = parseComparisonFlags(
  'log',
  experiments.map(({ key }) => key),
  { rounds: 3 },
);
const directory = await mkdtemp(join(tmpdir(), 'bench-log-'));
const results = new Results();
const versions = new Set<string>();
try {
  await main();
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const pino = flags.isWanted('four') ? await fetchPeer(join(directory, 'pino'), 'pino') : undefined;
  if (pino !== undefined) versions.add(`pino ${pino}`);
  const [startedAt, loadBefore] = [performance.now(), load()];
  const wanted = experiments.filter(({ key }) => flags.isWanted(key));
  for (const experiment of wanted) await measure(experiment, pino && join(directory, 'pino'));
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const preface = [
    `linod ${version}, Node.js ${process.version}${[...versions].map((text) => `, ${text}`).join('')}.`,
    `${processors()}; load average ${loadBefore.toFixed(2)} before, ${load().toFixed(2)} after ${seconds} s, most of it the benchmark's own.`,
    flags.rounds === 1 ? 'One round.' : `Medians of ${flags.rounds} rounds.`,
  ];
  const text = report(preface, lines, results);
  if (flags.write !== undefined) await writeBetweenMarks(flags.write, 'bench:log', text);
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ preface, rows: rowsOf(lines, results), runs: results }, null, 2)}\n`
      : `${text}\n`,
  );
}

async function measure(
  { key, contestants, once = false }: Experiment,
  pino: string | undefined,
): Promise<void> {
  const rounds = once ? 1 : flags.rounds;
  for (let round = 1; round <= rounds; round++) {
    for (const [name, run] of Object.entries(contestants)) {
      say(`${key}: ${name}, round ${round} of ${rounds}`);
      const own = join(directory, `${key}-${name}-${round}`);
      await mkdir(own);
      const found = await run({ directory: own, pino, versions, quick: flags.quick });
      if (found !== undefined) results.add(key, name, found);
      await rm(own, { recursive: true, force: true });
    }
  }
}
