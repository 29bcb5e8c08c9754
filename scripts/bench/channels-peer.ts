// A peer of the channels benchmark on Node. Not for people; channels.ts starts it with its contestant as JSON.
//
// It prints `open`, does one task a line of standard input, prints `ready` where it waits for messages, and then what it
// found as JSON. channels_peer.py does the same in Python.

import { openSync, watch, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { monotonicMs } from './contest.js';
import { channels } from './linod.js';
import { bullMqOptions, loadBullMq } from './servers.js';

type Message = { readonly type: string; readonly text: string; readonly at?: number };

/** What channels.ts wants done; each task has the fields that it needs. */
interface Task {
  readonly do: string;
  readonly channel?: string;
  readonly channels?: readonly string[];
  readonly count?: number;
  readonly batch?: number;
  readonly inFlight?: number;
  readonly ping?: string;
  readonly pong?: string;
  readonly rounds?: number;
  readonly group?: string;
  readonly members?: number;
}

/** What carries messages. A channel layer is one as it stands. */
interface Transport {
  send(channel: string, message: Message): Promise<unknown>;
  sendMany?(channel: string, messages: readonly Message[]): Promise<ReadonlyArray<{ accepted: boolean }>>;
  receive(channel: string): Promise<unknown>;
  receiveMany?(channel: string, options: { max: number }): Promise<readonly unknown[]>;
  newChannel?(): Promise<string>;
  groupAdd?(group: string, channel: string): Promise<void>;
  groupSend?(group: string, message: Message): Promise<void>;
  close(): Promise<void>;
}

/** With it the message has about 100 bytes as MessagePack. */
const message: Message = { type: 'bench.message', text: 'x'.repeat(73) };
/** Nobody reaches it, so no message is refused for want of room. */
const capacity = 1_000_000;

const options = JSON.parse(process.argv[2] ?? '{}') as Readonly<Record<string, string>>;
const { kind, url = '', prefix = '', path = '', bullmq = '' } = options;
const transport: Transport = open();
console.log('open');
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await perform(JSON.parse(line) as Task)));
}
await transport.close();
process.exit();

function open(): Transport {
  if (kind === 'redis') return new channels.RedisChannelLayer({ hosts: [url], prefix, capacity });
  if (kind === 'sqlite') return new channels.SqliteChannelLayer({ path, capacity });
  return kind === 'bullmq' ? bullMqTransport() : bareSqlite(`${path}-bare`);
}

async function perform(task: Task): Promise<object> {
  const { channel = '', channels: own = [], count = 0, batch = 1, inFlight = 1 } = task;
  const { ping: to = '', pong: back = '', rounds = 0, group = '', members = 0 } = task;
  switch (task.do) {
    case 'send':
      return await send(channel, count, batch, inFlight);
    case 'receive':
      return await receive(own, count, batch, inFlight);
    case 'ping':
      return await ping(to, back, rounds);
    case 'echo':
      return await echo(to, back, rounds);
    case 'pace':
      return await pace(channel, count);
    case 'clock':
      return await clock(channel, count);
    case 'attend':
      return await attend(group, members, count);
    default:
      return await groupSend(group, count);
  }
}

async function send(channel: string, total: number, batch: number, inFlight: number): Promise<object> {
  const messages = Array.from({ length: batch }, () => message);
  let begun = 0;
  let count = 0;
  const from = monotonicMs();
  const one = async () => {
    while (begun < total) {
      begun += batch;
      if (batch === 1) {
        await transport.send(channel, message);
        count++;
      } else {
        const outcomes = await transport.sendMany?.(channel, messages);
        count += outcomes?.filter(({ accepted }) => accepted).length ?? 0;
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  return { from, until: monotonicMs(), count };
}

async function receive(
  own: readonly string[],
  total: number,
  batch: number,
  inFlight: number,
): Promise<object> {
  const share = total / own.length / inFlight;
  const takeShare = async (channel: string) => {
    let taken = 0;
    while (taken < share) {
      if (batch > 1) taken += (await transport.receiveMany?.(channel, { max: batch }))?.length ?? 0;
      else {
        await transport.receive(channel);
        taken++;
      }
    }
    return taken;
  };
  const from = monotonicMs();
  const each = own.flatMap((channel) => Array.from({ length: inFlight }, () => takeShare(channel)));
  const taking = Promise.all(each);
  console.log('ready');
  const counts = await taking;
  return { from, until: monotonicMs(), count: counts.reduce((sum, count) => sum + count, 0) };
}

async function ping(to: string, back: string, rounds: number): Promise<object> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const from = monotonicMs();
    await transport.send(to, message);
    await transport.receive(back);
    times.push(monotonicMs() - from);
  }
  return { times };
}

async function echo(to: string, back: string, rounds: number): Promise<object> {
  for (let round = 0; round < rounds; round++) {
    const received = transport.receive(to);
    if (round === 0) console.log('ready');
    await received;
    await transport.send(back, message);
  }
  return {};
}

/** A message each millisecond with its time in it, so that none waits behind another. */
async function pace(channel: string, count: number): Promise<object> {
  for (let n = 0; n < count; n++) {
    await transport.send(channel, { ...message, at: monotonicMs() });
    await pause(1);
  }
  return {};
}

async function clock(channel: string, count: number): Promise<object> {
  const times: number[] = [];
  while (times.length < count) {
    const received = transport.receive(channel);
    if (times.length === 0) console.log('ready');
    const { at = Number.NaN } = (await received) as Message;
    times.push(monotonicMs() - at);
  }
  return { times };
}

async function attend(group: string, members: number, count: number): Promise<object> {
  const own: string[] = [];
  for (let n = 0; n < members; n++) {
    const channel = (await transport.newChannel?.()) ?? '';
    await transport.groupAdd?.(group, channel);
    own.push(channel);
  }
  return await receive(own, members * count, 1, 1);
}

async function groupSend(group: string, count: number): Promise<object> {
  const from = monotonicMs();
  for (let n = 0; n < count; n++) await transport.groupSend?.(group, message);
  return { from, until: monotonicMs(), count };
}

/** `send` adds a job; `receive` is a worker whose processor hands the job's data over. */
function bullMqTransport(): Transport {
  const { Queue, Worker } = loadBullMq(bullmq);
  const connection = { ...bullMqOptions(url), prefix };
  const jobOptions = { removeOnComplete: true, removeOnFail: true };
  const queues = new Map<string, InstanceType<typeof Queue>>();
  const taken = new Map<string, { messages: unknown[]; wake: () => void }>();
  const workers: Array<InstanceType<typeof Worker>> = [];
  const startWorker = (channel: string) => {
    const inbox = { messages: [] as unknown[], wake: () => {} };
    const keep = async ({ data }: { readonly data: unknown }) => {
      inbox.messages.push(data);
      inbox.wake();
    };
    // With its default of one job at a time it could not keep up with the adding.
    workers.push(new Worker(channel, keep, { ...connection, concurrency: 50 }));
    taken.set(channel, inbox);
    return inbox;
  };
  return {
    async send(channel, data) {
      const queue = queues.get(channel) ?? new Queue(channel, connection);
      queues.set(channel, queue);
      await queue.add('message', data, jobOptions);
    },
    async receive(channel) {
      const inbox = taken.get(channel) ?? startWorker(channel);
      while (inbox.messages.length === 0)
        await new Promise<void>((resolve) => {
          inbox.wake = resolve;
        });
      return inbox.messages.shift();
    },
    async close() {
      await Promise.all([...workers, ...queues.values()].map((each) => each.close()));
    },
  };
}

/**
 * The least that a program on Node can do to carry messages through a SQLite file: a statement for a send, one that takes
 * the next message, and a watched file that wakes. No capacity, expiry or groups. Like the layer it takes no more than was asked
 * for, so that a process that dies loses nothing else.
 */
function bareSqlite(file: string): Transport {
  const db = new Database(file, { timeout: 5000 });
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = NORMAL');
  db.exec('CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, channel TEXT, body BLOB)');
  const insert = db.prepare('INSERT INTO messages (channel, body) VALUES (?, ?)');
  const take = db
    .prepare(
      'DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE channel = ? LIMIT 1) RETURNING body',
    )
    .pluck();
  const wakeFile = openSync(`${file}-wake`, 'a+');
  let wake = () => {};
  watch(`${file}-wake`, () => wake());
  return {
    async send(channel, sent) {
      insert.run(channel, Buffer.from(JSON.stringify(sent)));
      writeSync(wakeFile, '\n', 0);
    },
    async receive(channel) {
      for (;;) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const body = take.get(channel);
        if (body !== undefined) return JSON.parse(String(body));
        await woken;
      }
    },
    async close() {
      db.close();
    },
  };
}
