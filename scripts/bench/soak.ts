// Runs a worker and senders over SQLite and Redis under a steady mixed load (sends, batches, leases, groups, receives
// that are called off, broken connections, layers opened anew) and looks whether anything grows or gets lost.
//
//     npm run soak -- [--minutes 20] [--json]
//
// It starts a Redis of its own. Prints a line a minute, and at the end the slope of every quantity over the second half
// with its 95 % confidence. Exit codes: 0 flat and nothing lost or doubled, 1 not so, 2 used wrongly.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { printTable } from '../../src/commands/output.js';
import { RedisServer } from './shared/redis-server.js';
import { type Bound, bounds } from './soak/bounds.js';
import { Load } from './soak/load.js';
import { redisMedium, sqliteMedium } from './soak/medium.js';
import { type Sample, sample } from './soak/sample.js';
import { exceeds, type Slope, slopeOf } from './soak/slope.js';

const minuteMs = 60_000;
/** The work of a lap takes one or two seconds. */
const lap = { rounds: 60, everyMs: 20 };
/**
 * From one lap to the next. Each opens layers anew, of which the X-ray keeps the events for ten minutes: laps that came quicker
 * in the second half, since the machine was less busy then, would let the media grow as a leak does.
 */
const lapEveryMs = 3000;

const flags = parseFlags();
const directory = await mkdtemp(join(tmpdir(), 'soak-'));
const server = await RedisServer.start();
const media = [sqliteMedium(directory), redisMedium(server)];
const loads = media.map((medium) => new Load({ medium, ...lap }));
try {
  process.exitCode = (await main()) ? 0 : 1;
} finally {
  await Promise.all(loads.map((load) => load.close()));
  await server.close();
  await rm(directory, { recursive: true });
}

/** Returns whether all is well. */
async function main(): Promise<boolean> {
  const from = performance.now();
  const elapsedMs = () => performance.now() - from;
  const samples: Sample[] = [];
  let toldMinutes = 0;
  while (elapsedMs() < flags.minutes * minuteMs && loads.every(({ lost }) => lost === 0)) {
    await Promise.all([pause(lapEveryMs), ...loads.map((load) => load.lap())]);
    samples.push(await sample(elapsedMs(), media));
    if (elapsedMs() < (toldMinutes + 1) * minuteMs) continue;
    toldMinutes = Math.floor(elapsedMs() / minuteMs);
    tell(samples);
  }
  tell(samples);
  const judged = bounds.map((bound) => judge(bound, samples));
  const isComplete = loads.every(({ lost, doubled }) => lost === 0 && doubled === 0);
  printResult(judged, samples.length);
  return isComplete && judged.every(({ isFlat }) => isFlat);
}

interface Judged {
  readonly bound: Bound;
  readonly first: number;
  readonly last: number;
  readonly slope: Slope;
  readonly isFlat: boolean;
}

/** By the second half: in the first one caches fill and code is compiled. */
function judge(bound: Bound, samples: readonly Sample[]): Judged {
  const half = samples.slice(Math.floor(samples.length / 2));
  const slope = slopeOf(half.map((each) => [each.atMs, each[bound.quantity]]));
  const isFlat = !exceeds(slope, bound.perHour);
  return {
    ...{ bound, slope, isFlat },
    first: half.at(0)?.[bound.quantity] ?? Number.NaN,
    last: half.at(-1)?.[bound.quantity] ?? Number.NaN,
  };
}

function tell(samples: readonly Sample[]): void {
  const last = samples.at(-1);
  if (last === undefined) return;
  const sent = loads.map(
    ({ name, sent, lost, doubled }) => `${name} ${sent} sent ${lost} lost ${doubled} doubled`,
  );
  const sizes = bounds.map(({ quantity, name, unit }) => `${name} ${shown(last[quantity], unit)}`);
  process.stderr.write(`${(last.atMs / minuteMs).toFixed(1)} min  ${[...sent, ...sizes].join(', ')}\n`);
}

function printResult(judged: readonly Judged[], laps: number): void {
  if (flags.json) {
    const counts = loads.map(({ name, sent, lost, doubled }) => ({ name, sent, lost, doubled }));
    process.stdout.write(`${JSON.stringify({ laps, counts, judged }, null, 2)}\n`);
    return;
  }
  for (const { name, sent, lost, doubled } of loads)
    process.stdout.write(`${name}: ${sent} messages in ${laps} laps, ${lost} lost, ${doubled} doubled\n`);
  process.stdout.write('\n');
  const growth = ({ bound: { unit }, slope }: Judged) =>
    `${shown(slope.perHour, unit)} ± ${shown(slope.margin, unit)}`;
  printTable<Judged>(
    [
      { title: 'second half', cell: ({ bound }) => bound.name },
      { title: 'at first', cell: ({ bound, first }) => shown(first, bound.unit), align: 'right' },
      { title: 'at last', cell: ({ bound, last }) => shown(last, bound.unit), align: 'right' },
      { title: 'an hour', cell: growth, align: 'right' },
      { title: 'bound', cell: ({ bound }) => shown(bound.perHour, bound.unit), align: 'right' },
      { title: '', cell: ({ isFlat }) => (isFlat ? 'flat' : 'GROWS') },
    ],
    judged,
  );
}

function shown(value: number, { name, size }: Bound['unit']): string {
  return name === '' ? value.toFixed(value % 1 === 0 ? 0 : 2) : `${(value / size).toFixed(2)} ${name}`;
}

function parseFlags(): { minutes: number; json: boolean } {
  try {
    const { values } = parseArgs({
      options: { minutes: { type: 'string', default: '20' }, json: { type: 'boolean', default: false } },
    });
    const minutes = Number(values.minutes);
    if (!(minutes > 0 && minutes <= 10_000))
      throw new RangeError(
        `expected --minutes to be a number above 0, got: ${JSON.stringify(values.minutes)}`,
      );
    return { minutes, json: values.json };
  } catch (error) {
    process.stderr.write(`soak: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  }
}
