// Measures what a worker costs when nothing happens: the time until it listens, processor time while it waits, memory.
//
//     npm run bench:worker -- [--seconds 60] [--starts 5]
//
// It compares linod on SQLite and on Redis with the least that Node can do (a process blocked on Redis) and with
// Python's Channels, if Debian's packages of it are installed. Each is started several times, one after another, and
// the median counts; then all of them wait side by side. Needs Linux and redis-server, which it starts on a free port.
// Prints a table on stdout, and leaves no file and no process behind. Exit codes: 0 done, 1 failed, 2 used wrongly.

import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { printTable } from '../../src/commands/output.js';
import { version } from '../../src/version.js';
import { freePort } from './shared/free-port.js';
import { Program, type Subject } from './shared/program.js';
import { linodWorker, plainNode, pythonVersions, pythonWorker } from './worker/subjects.js';

interface Result {
  readonly name: string;
  readonly startMs: number;
  readonly cpuMsPerMinute: number;
  readonly rssBytes: number;
}

/** What a program does once after its start is not what waiting costs. */
const settleMs = 10_000;

const { seconds, starts } = parseFlags();
const parent = await mkdtemp(join(tmpdir(), 'linod-bench-'));
const running: Program[] = [];
try {
  await main();
} finally {
  await Promise.all(running.map((program) => program.stop()));
  await rm(parent, { recursive: true });
}

async function main(): Promise<void> {
  const port = await freePort();
  running.push(await Program.start(redisServer(port)));
  const python = pythonVersions();
  const subjects = [
    await linodWorker(parent, 'bench_sqlite'),
    await linodWorker(parent, 'bench_redis', `redis://127.0.0.1:${port}`),
    plainNode(port),
    ...(python === undefined ? [] : [await pythonWorker(parent, port)]),
  ];
  const startTimes = new Map<Subject, number>();
  for (const subject of subjects) startTimes.set(subject, await medianStartMs(subject));
  const loadAtStart = loadavg()[0] ?? 0;
  const results = await waitSideBySide(subjects, startTimes);
  await printMachine(python, loadAtStart);
  printResults(results);
}

/** The first start is not counted: it compiles the configuration and makes the database. */
async function medianStartMs(subject: Subject): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n <= starts; n++) {
    const program = await Program.start(subject);
    await program.stop();
    if (n > 0) times.push(program.startMs);
  }
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length / 2)] ?? Number.NaN;
}

async function waitSideBySide(
  subjects: readonly Subject[],
  startTimes: ReadonlyMap<Subject, number>,
): Promise<Result[]> {
  const programs: Array<readonly [Subject, Program]> = [];
  for (const subject of subjects) {
    const program = await Program.start(subject);
    running.push(program);
    programs.push([subject, program]);
  }
  await setTimeout(settleMs);
  const before = programs.map(([, program]) => program.usage().cpuMs);
  await setTimeout(seconds * 1000);
  return programs.map(([subject, program], i) => {
    const { cpuMs, rssBytes } = program.usage();
    const cpuMsPerMinute = ((cpuMs - (before[i] ?? 0)) * 60) / seconds;
    return { name: subject.name, startMs: startTimes.get(subject) ?? Number.NaN, cpuMsPerMinute, rssBytes };
  });
}

async function printMachine(python: string | undefined, loadAtStart: number): Promise<void> {
  const ioredis = JSON.parse(await readFile('node_modules/ioredis/package.json', 'utf8')) as {
    version: string;
  };
  const redis = /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1];
  const load = `${loadAtStart.toFixed(2)} after the starts, ${(loadavg()[0] ?? 0).toFixed(2)} after the waiting`;
  for (const line of [
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}; load average ${load}`,
    `linod ${version}, Node.js ${process.version}, ioredis ${ioredis.version}, Redis ${redis ?? 'unknown'}`,
    python ?? "Python's Channels is not installed here and was left out",
    `start: median of ${starts}, until the program says that it listens; then ${seconds} s of waiting`,
    '',
  ]) {
    process.stdout.write(`${line}\n`);
  }
}

function printResults(results: readonly Result[]): void {
  printTable<Result>(
    [
      { title: 'worker', cell: ({ name }) => name },
      { title: 'start, ms', cell: ({ startMs }) => startMs.toFixed(0), align: 'right' },
      { title: 'CPU, s/min', cell: ({ cpuMsPerMinute: ms }) => (ms / 1000).toFixed(2), align: 'right' },
      { title: 'RSS, MiB', cell: ({ rssBytes }) => (rssBytes / 1024 ** 2).toFixed(0), align: 'right' },
    ],
    results,
  );
}

function redisServer(port: number): Subject {
  return {
    name: 'redis-server',
    command: 'redis-server',
    args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    directory: parent,
    ready: /Ready to accept connections/,
  };
}

function parseFlags(): { seconds: number; starts: number } {
  try {
    const { values } = parseArgs({
      options: { seconds: { type: 'string', default: '60' }, starts: { type: 'string', default: '5' } },
    });
    return { seconds: positive('--seconds', values.seconds), starts: positive('--starts', values.starts) };
  } catch (error) {
    process.stderr.write(`worker: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  }
}

function positive(flag: string, text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new RangeError(`expected ${flag} to be a positive whole number, got: ${JSON.stringify(text)}`);
}
