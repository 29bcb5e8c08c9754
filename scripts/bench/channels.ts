// Measures the channel layers side by side with the real peers, in one run on one Redis, which it starts itself.
//
//     npm run bench:channels -- [--only KEY]… [--rounds 5] [--quick] [--json] [--write FILE]
//
// Beside the layers run Python's channels_redis (core and PubSub, if Debian's packages are installed), bare ioredis
// loops with the same scripts and bytes, and BullMQ, which is fetched from the registry for the time of the run
// (without a network it is left out). All have the same payload, the same bound of a channel and the same Redis; for
// each a sender and a receiver are processes of their own, and what is received is decoded and counted. The contestants
// take turns, so that a machine with other work to do hits all of them. The medians of the rounds are printed as rates
// and as ratios. `--write` puts them into a Markdown file, between its marks.
//
// Exit codes: 0 measured, whether the aims were reached or not; 1 failed, also when a message was lost; 2 used wrongly.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { version } from '../../src/version.js';
import { Contestants } from './channels/contestants.js';
import { type Experiment, experiments } from './channels/experiments.js';
import { idle, idleMs, idlePeriods } from './channels/idle.js';
import { pythonVersions } from './channels/python-versions.js';
import { report } from './channels/report.js';
import { rowsOf } from './channels/rows.js';
import { lines } from './channels/table.js';
import { parseComparisonFlags } from './shared/flags.js';
import { load, nodeVersions, processors } from './shared/machine.js';
import { writeBetweenMarks } from './shared/markdown.js';
import { fetchPeer } from './shared/npm-packages.js';
import { say } from './shared/progress.js';
import { RedisServer } from './shared/redis-server.js';
import { Results } from './shared/results.js';

const keys = [...experiments.map(({ key }) => key), 'idle'];

const flags = parseComparisonFlags('channels', keys, { rounds: 5 });
/** A quick run only shows that everything can be measured. */
const divisor = flags.quick ? 10 : 1;
const directory = await mkdtemp(join(tmpdir(), 'bench-channels-'));
const redis = await RedisServer.start();
const results = new Results();
const python = pythonVersions();
const bullmq =
  flags.isWanted('unattended') || flags.isWanted('one-way')
    ? await fetchPeer(directory, 'bullmq')
    : undefined;
const contestants = new Contestants({
  ...{ url: redis.url, directory, bullmq: bullmq && directory, hasPython: python !== undefined },
});
try {
  await main();
} finally {
  await contestants.close();
  await redis.close();
  await rm(directory, { recursive: true, force: true });
}

async function main(): Promise<void> {
  if (python === undefined) say("Python's channels_redis is not installed here and is left out");
  const [startedAt, loadBefore] = [performance.now(), load()];
  for (const experiment of experiments) if (flags.isWanted(experiment.key)) await measure(experiment);
  if (flags.isWanted('idle')) await measureIdle();
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const preface = [
    `linod ${version}; ${nodeVersions(redis.version)}${bullmq === undefined ? '' : `, BullMQ ${bullmq}`};`,
    `${python ?? 'without Python'}.`,
    `${processors()}; load average ${loadBefore.toFixed(2)} before, ${load().toFixed(2)} after ${seconds} s, most of it the benchmark's own.`,
    `Medians of ${flags.rounds} rounds; messages of 100 bytes where nothing else is said.`,
  ];
  const text = report(preface, results);
  if (flags.write !== undefined) await writeBetweenMarks(flags.write, 'bench:channels', text);
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ preface, rows: rowsOf(lines, results), runs: results }, null, 2)}\n`
      : `${text}\n`,
  );
}

async function measure({ key, contestants: names, measure: run }: Experiment): Promise<void> {
  const taking = names.filter((name) => contestants.has(name));
  // The first round warms up and is not counted.
  for (let round = 0; round <= flags.rounds; round++) {
    say(round === 0 ? `${key}: ${taking.join(', ')}` : `${key}: round ${round}`);
    for (const name of taking) {
      const found = await run({ pair: contestants.pair(name), redis, run: round, divisor });
      if (round > 0) results.add(key, name, found);
    }
  }
}

async function measureIdle(): Promise<void> {
  const forMs = idleMs / (divisor > 1 ? 3 : 1);
  const periods = divisor > 1 ? 1 : idlePeriods;
  const taking = (['python', 'redis', 'bare'] as const).filter((name) => contestants.has(name));
  say(`idle: ${taking.join(', ')}, for ${(periods * forMs) / 1000} s`);
  const found = await Promise.all(taking.map((name) => idle(contestants, name, forMs, periods)));
  for (const [i, name] of taking.entries())
    for (const period of found[i] ?? []) results.add('idle', name, period);
}
