// Measures what the X-ray of a channel layer costs who sends and receives: the same work with it and without it, in
// turns of a few milliseconds within one run, on the memory, SQLite and Redis layers. And what it does while idle.
//
//   node scripts/bench.mjs xray [--rounds 600] [--idle SECONDS]
//
// The cost is the median over all rounds of the ratio of the processor time of this process with and without; a busy
// machine makes single rounds useless, not their median. Starts its own `redis-server` and leaves nothing behind.
// Prints a table on stdout. Exit codes: 0 done, 1 failed.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  type ChannelLayer,
  InMemoryChannelLayer,
  RedisChannelLayer,
  SqliteChannelLayer,
} from '../../channels/index.js';
import { load, nodeVersions, processors } from './shared/machine.js';
import { RedisServer } from './shared/redis-server.js';

const message = { type: 'log.record', text: 'x'.repeat(80), n: 1 };
const channel = 'mail';
const batch = Array.from({ length: 100 }, () => message);
const lanes = Array.from({ length: 50 });
const warmUpShare = 0.2;

type Open = (xray: boolean) => ChannelLayer;
/** Sends and receives some messages. */
type Work = (layer: ChannelLayer) => Promise<void>;

const works: ReadonlyArray<readonly [name: string, work: Work, messages: number]> = [
  [
    'batches of 100',
    async (layer) => {
      for (let i = 0; i < 5; i++) {
        await layer.sendMany(channel, batch);
        for (let left = 100; left > 0; ) left -= (await layer.receiveMany(channel, { max: left })).length;
      }
    },
    500,
  ],
  [
    '50 in flight',
    async (layer) => {
      for (let i = 0; i < 5; i++) {
        await Promise.all(lanes.map(() => layer.send(channel, message)));
        await Promise.all(lanes.map(() => layer.receive(channel)));
      }
    },
    250,
  ],
  [
    'one by one',
    async (layer) => {
      for (let i = 0; i < 100; i++) {
        await layer.send(channel, message);
        await layer.receive(channel);
      }
    },
    100,
  ],
];

async function main(rounds: number, idleSeconds: number): Promise<void> {
  const server = await RedisServer.start();
  const directory = mkdtempSync(join(tmpdir(), 'xray-'));
  const shared = { capacity: 1_000_000 };
  const layers: ReadonlyArray<readonly [name: string, open: Open]> = [
    ['memory', (xray) => new InMemoryChannelLayer({ ...shared, xray })],
    ['SQLite', (xray) => new SqliteChannelLayer({ ...shared, xray, path: join(directory, `${xray}.db`) })],
    ['Redis', (xray) => new RedisChannelLayer({ ...shared, xray, prefix: `${xray}:`, hosts: [server.url] })],
  ];
  try {
    print(`${processors()}; load average ${load().toFixed(2)}`);
    print(nodeVersions(server.version));
    print(`median of ${rounds} rounds; µs of processor time a message, sent and received\n`);
    print(row('', 'without', 'with', 'cost', 'quartiles'));
    for (const [name, open] of layers)
      for (const [what, work, messages] of works) {
        const { off, on, cost, quartiles } = await compare(open, work, rounds);
        const perMessage = (us: number) => (us / messages).toFixed(2);
        const spread = quartiles.map(percent).join(' … ');
        print(row(`${name}, ${what}`, perMessage(off), perMessage(on), percent(cost), spread));
      }
    if (idleSeconds > 0) await measureIdle(server, idleSeconds);
    print(`\nload average ${load().toFixed(2)} afterwards`);
  } finally {
    await server.close();
    rmSync(directory, { recursive: true });
  }
}

async function compare(open: Open, work: Work, rounds: number) {
  const [on, off] = [open(true), open(false)];
  const found: Array<{ readonly on: number; readonly off: number }> = [];
  for (let round = 0; round < rounds * (1 + warmUpShare); round++) {
    // Neither is always the one that finds the caches warm.
    const isOnFirst = round % 2 === 0;
    const first = await cpuUs(() => work(isOnFirst ? on : off));
    const second = await cpuUs(() => work(isOnFirst ? off : on));
    if (round >= rounds * warmUpShare)
      found.push(isOnFirst ? { on: first, off: second } : { on: second, off: first });
  }
  await Promise.all([on.close(), off.close()]);
  const ratios = found.map(({ on, off }) => on / off);
  return {
    on: quantile(
      found.map(({ on }) => on),
      0.5,
    ),
    off: quantile(
      found.map(({ off }) => off),
      0.5,
    ),
    cost: quantile(ratios, 0.5),
    quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
  };
}

/** What a receiver that waits in vain asks of Redis, with the X-ray and without it. */
async function measureIdle(server: RedisServer, seconds: number): Promise<void> {
  print('');
  for (const xray of [false, true]) {
    const layer = new RedisChannelLayer({ hosts: [server.url], prefix: `idle-${xray}:`, xray });
    const over = new AbortController();
    const waiting = layer.receive(channel, { signal: over.signal }).catch(() => undefined);
    await layer.send('elsewhere', message);
    await pause(3000);
    const before = await server.usage();
    const cpuBefore = process.cpuUsage();
    await pause(seconds * 1000);
    const cpu = process.cpuUsage(cpuBefore);
    const { commands } = await server.usage();
    over.abort();
    await waiting;
    await layer.close();
    const calls = commands - before.commands;
    const cpuMs = ((cpu.user + cpu.system) / 1000).toFixed(1);
    print(
      `a receiver that waits ${seconds} s on Redis, ${xray ? 'with' : 'without'}: ${calls} commands, ${cpuMs} ms`,
    );
  }
}

async function cpuUs(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
}

function percent(ratio: number): string {
  return `${ratio >= 1 ? '+' : ''}${((ratio - 1) * 100).toFixed(1)} %`;
}

function row(what: string, ...cells: readonly string[]): string {
  return what.padEnd(26) + cells.map((cell) => cell.padStart(10)).join('  ');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '600' }, idle: { type: 'string', default: '0' } },
});
await main(Number(values.rounds), Number(values.idle));
