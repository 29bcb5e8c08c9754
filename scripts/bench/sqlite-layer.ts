// Measures the embedded channel layer on this machine: sends and receives a second in one process and between two, one
// by one, in batches and on lease, the time of a message between two processes, and what waiting costs. Beside them what
// bare better-sqlite3 does with the same settings: nothing that keeps messages in SQLite can be quicker by much.
//
//   node scripts/bench.mjs sqlite-layer [SECONDS OF IDLING, default 20]
//
// Prints a table on stdout. Exit codes: 0 done, 1 failed.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDatabase } from '../../channels/layers/sqlite/database.js';
import { SqliteChannelLayer } from '../../channels/layers/sqlite.js';
import { encode } from '../../channels/msgpack.js';

const capacity = 1_000_000;
const batchSize = 100;
const message = { type: 'log.record', text: 'x'.repeat(80), n: 1 };

async function main(idleSeconds: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sqlite-layer-'));
  const path = join(directory, 'channels.db');
  const layer = new SqliteChannelLayer({ path, capacity });
  try {
    print(
      'machine',
      `${cpus().length} cores, load average ${loadavg()[0]?.toFixed(1)}, Node.js ${process.version}, messages of about 100 bytes`,
    );
    await measureThroughput(layer);
    await measureTwoProcesses(layer, path);
    await measureBare(join(directory, 'bare.db'), 1, 100_000);
    await measureBare(join(directory, 'bare.db'), batchSize, 500_000);
    await measurePingPong(layer, path);
    await measureIdling(layer, idleSeconds);
  } finally {
    await layer.close();
    rmSync(directory, { recursive: true });
  }
}

async function measureThroughput(layer: SqliteChannelLayer): Promise<void> {
  const count = 50_000;
  await rate('send, one after another', count, async () => {
    for (let n = 0; n < count; n++) await layer.send('one', message);
  });
  await rate('receive, one after another', count, async () => {
    for (let n = 0; n < count; n++) await layer.receive('one');
  });
  await rate('send, 100 in a turn', count, async () => {
    for (let n = 0; n < count; n += 100) {
      await Promise.all(Array.from({ length: 100 }, () => layer.send('hundred', message)));
    }
  });
  await rate('receive, 100 in a turn', count, async () => {
    for (let n = 0; n < count; n += 100) {
      await Promise.all(Array.from({ length: 100 }, () => layer.receive('hundred')));
    }
  });
  await rate('send to a waiting receive', count, async () => {
    for (let n = 0; n < count; n++) {
      const received = layer.receive('waiting');
      await layer.send('waiting', message);
      await received;
    }
  });
}

/** This process sends, the other one receives. The time goes from the first send to the last receive. */
async function measureTwoProcesses(layer: SqliteChannelLayer, path: string): Promise<void> {
  const batch = Array.from({ length: batchSize }, () => message);
  const sendOne = async (channel: string) => {
    await layer.send(channel, message);
    return 1;
  };
  const sendBatch = async (channel: string) => {
    await layer.sendMany(channel, batch);
    return batchSize;
  };
  const ways: ReadonlyArray<[ReceivingRole, (channel: string) => Promise<number>, number]> = [
    ['receive', sendOne, 100_000],
    ['receiveMany', sendBatch, 500_000],
    ['lease', sendOne, 50_000],
    ['leaseMany', sendBatch, 200_000],
  ];
  for (const [role, send, count] of ways) {
    const child = fork(fileURLToPath(import.meta.url), [role, path, String(count)]);
    await once(child, 'message');
    const received = once(child, 'message');
    const from = performance.now();
    for (let sent = 0; sent < count; ) sent += await send(role);
    const sendMs = performance.now() - from;
    await received;
    const totalMs = performance.now() - from;
    print(
      `two processes, ${role}`,
      `${perSecond(count, sendMs)} sent, ${perSecond(count, totalMs)} received`,
    );
    await end(child);
  }
}

type ReceivingRole = 'receive' | 'receiveMany' | 'lease' | 'leaseMany';

const takes: Readonly<Record<ReceivingRole, (layer: SqliteChannelLayer) => Promise<number>>> = {
  async receive(layer) {
    await layer.receive('receive');
    return 1;
  },
  async receiveMany(layer) {
    return (await layer.receiveMany('receiveMany', { max: batchSize })).length;
  },
  async lease(layer) {
    await (await layer.receive('lease', { lease: 30_000 })).ack();
    return 1;
  },
  async leaseMany(layer) {
    const batch = await layer.receiveMany('leaseMany', { lease: 30_000, max: batchSize });
    await Promise.all(batch.map((leased) => leased.ack()));
    return batch.length;
  },
};

/** The other process: takes so many messages and tells when it has them. */
async function takeAll(role: ReceivingRole, path: string, count: number): Promise<void> {
  const layer = new SqliteChannelLayer({ path, capacity });
  process.on('disconnect', () => process.exit());
  const first = takes[role](layer);
  process.send?.('ready');
  for (let taken = await first; taken < count; ) taken += await takes[role](layer);
  process.send?.('done');
}

/** Rows of bare bytes: one process inserts so many in a transaction, the other one takes what is there. */
async function measureBare(path: string, rows: number, count: number): Promise<void> {
  const db = openDatabase(path);
  db.pragma('busy_timeout = 1000');
  db.exec('CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, body BLOB)');
  const insert = db.prepare('INSERT INTO bare (body) VALUES (?)');
  const body = encode(message);
  const insertMany = db.transaction(() => {
    for (let n = 0; n < rows; n++) insert.run(body);
  });
  const child = fork(fileURLToPath(import.meta.url), ['bare', path, String(count)]);
  await once(child, 'message');
  const received = once(child, 'message');
  const from = performance.now();
  for (let n = 0; n < count; n += rows) {
    if (rows === 1) insert.run(body);
    else insertMany.immediate();
  }
  const sendMs = performance.now() - from;
  await received;
  const totalMs = performance.now() - from;
  print(
    `bare better-sqlite3, ${rows} a commit`,
    `${perSecond(count, sendMs)} sent, ${perSecond(count, totalMs)} received`,
  );
  await end(child);
  db.close();
}

/** The other process: looks once a millisecond, as nobody wakes it. */
async function takeBare(path: string, count: number): Promise<void> {
  const db = openDatabase(path);
  db.pragma('busy_timeout = 1000');
  process.on('disconnect', () => process.exit());
  const take = db
    .prepare('DELETE FROM bare WHERE id < 500 + (SELECT min(id) FROM bare) RETURNING body')
    .raw();
  process.send?.('ready');
  for (let taken = 0; taken < count; ) {
    const rows = take.all();
    taken += rows.length;
    if (rows.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  db.close();
  process.send?.('done');
}

async function measurePingPong(layer: SqliteChannelLayer, path: string): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ['peer', path]);
  try {
    await once(child, 'message');
    const rounds = 5000;
    const times: number[] = [];
    for (let n = -500; n < rounds; n++) {
      const from = performance.now();
      await layer.send('ping', message);
      await layer.receive('pong');
      if (n >= 0) times.push(performance.now() - from);
    }
    times.sort((a, b) => a - b);
    const at = (quantile: number) => (times[Math.floor(rounds * quantile)] ?? 0).toFixed(3);
    print('there and back, two processes', `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(0.9999)} ms`);
  } finally {
    await end(child);
  }
}

async function measureIdling(layer: SqliteChannelLayer, seconds: number): Promise<void> {
  const done = new AbortController();
  const waiting = layer.receive('silence', { signal: done.signal }).catch((error: unknown) => error);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const from = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const { user, system } = process.cpuUsage(from);
  done.abort();
  await waiting;
  print('waiting', `${((user + system) / 1000).toFixed(1)} ms of CPU in ${seconds} s`);
}

/** The other process: answers every ping. */
async function answer(path: string): Promise<void> {
  const layer = new SqliteChannelLayer({ path, capacity });
  process.on('disconnect', () => process.exit());
  process.send?.('ready');
  for (;;) {
    await layer.receive('ping');
    await layer.send('pong', message);
  }
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.disconnect();
  await ended;
}

async function rate(name: string, count: number, work: () => Promise<void>): Promise<void> {
  const from = performance.now();
  await work();
  print(name, `${perSecond(count, performance.now() - from)} a second`);
}

function perSecond(count: number, elapsedMs: number): string {
  return Math.round((count / elapsedMs) * 1000).toLocaleString('en');
}

function print(name: string, result: string): void {
  process.stdout.write(`${name.padEnd(32)}${result}\n`);
}

const [role = '20', path = '', count = ''] = process.argv.slice(2);
if (role === 'peer') await answer(path);
else if (role === 'bare') await takeBare(path, Number(count));
else if (role in takes) await takeAll(role as ReceivingRole, path, Number(count));
else await main(Number(role));
