// Measures the channel layers beside Python's channels_redis and BullMQ, in one run on one Redis.
//
//     npm run bench:channels -- [--only KEY]… [--rounds 5] [--quick] [--json]
//
// Each contestant has a sender and a receiver in processes of their own. All have the same message of 100 bytes, the
// same capacity and the same Redis, which the benchmark starts. What is received is decoded and counted. Python needs
// Debian's python3-channels-redis; BullMQ is fetched for the time of the run; who is missing is left out.
//
// Exit codes: 0 measured, 1 failed or a message was lost, 2 used wrongly.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Context, contest, type Experiment, type Found, quantiles, type Row } from './contest.js';
import { Program } from './program.js';
import { fetchBullMq, flush, python, saysOf, startRedis } from './servers.js';

type Name = 'python' | 'redis' | 'sqlite' | 'bareSqlite' | 'bullmq';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
/** After the receiver's word that it waits, so that it really does. */
const settleMs = 20;

const rows: readonly Row[] = [
  {
    work: 'Redis: one by one',
    number: 'one-by-one.redis.received',
    unit: '/s',
    beside: [{ name: 'channels_redis', number: 'one-by-one.python.received', aim: ['≥', 2] }],
  },
  {
    work: 'Redis: 50 in flight',
    number: 'in-flight.redis.received',
    unit: '/s',
    beside: [{ name: 'channels_redis', number: 'in-flight.python.received', aim: ['≥', 15] }],
  },
  {
    work: 'Redis: batches of 100',
    number: 'batches.redis.received',
    unit: '/s',
    beside: [{ name: 'channels_redis, 50 in flight', number: 'in-flight.python.received', aim: ['≥', 30] }],
  },
  {
    work: 'Redis: ping-pong p50',
    number: 'ping-pong.redis.p50',
    unit: 'ms',
    beside: [{ name: 'channels_redis', number: 'ping-pong.python.p50', aim: ['≤', 0.45] }],
  },
  {
    work: 'Redis: group of 100, delivered',
    number: 'group-100.redis.delivered',
    unit: '/s',
    beside: [{ name: 'channels_redis', number: 'group-100.python.delivered', aim: ['≥', 5] }],
  },
  {
    work: 'Redis: group of 1,000, delivered',
    number: 'group-1000.redis.delivered',
    unit: '/s',
    beside: [{ name: 'channels_redis', number: 'group-1000.python.delivered', aim: ['≥', 10] }],
  },
  {
    work: "Redis' CPU a message, one by one",
    number: 'one-by-one.redis.redisUs',
    unit: 'µs',
    beside: [{ name: 'channels_redis', number: 'one-by-one.python.redisUs', aim: ['≤', 0.5] }],
  },
  {
    work: "Redis' CPU a message, 50 in flight",
    number: 'in-flight.redis.redisUs',
    unit: 'µs',
    beside: [{ name: 'channels_redis', number: 'in-flight.python.redisUs', aim: ['≤', 0.5] }],
  },
  {
    work: 'SQLite: one by one',
    number: 'one-by-one.sqlite.received',
    unit: '/s',
    beside: [{ name: 'bare better-sqlite3', number: 'one-by-one.bareSqlite.received', aim: ['≥', 0.8] }],
  },
  {
    work: 'SQLite: batches of 100',
    number: 'batches.sqlite.received',
    unit: '/s',
    aim: ['≥', 100_000],
  },
  { work: 'SQLite: ping-pong p50', number: 'ping-pong.sqlite.p50', unit: 'ms', aim: ['≤', 0.4] },
  { work: 'SQLite: ping-pong p99', number: 'ping-pong.sqlite.p99', unit: 'ms', aim: ['≤', 5] },
  {
    work: 'Redis: send, BullMQ: add',
    number: 'add.redis.sent',
    unit: '/s',
    beside: [{ name: 'BullMQ', number: 'add.bullmq.sent', aim: ['≥', 1] }],
  },
  {
    work: 'Redis: send to received p50',
    number: 'one-way.redis.p50',
    unit: 'ms',
    beside: [{ name: 'BullMQ', number: 'one-way.bullmq.p50', aim: ['≤', 0.7] }],
  },
  {
    work: 'SQLite: send to received p50',
    number: 'one-way.sqlite.p50',
    unit: 'ms',
    beside: [{ name: 'BullMQ', number: 'one-way.bullmq.p50' }],
  },
];

/** A peer's task, answered by `ready` where it waits for something, and by what it found. */
type Task = { readonly do: string } & Readonly<Record<string, unknown>>;
interface Span {
  readonly from: number;
  readonly until: number;
  readonly count: number;
}

class Pair {
  readonly name: Name;
  readonly sender: Program;
  readonly receiver: Program;

  constructor(name: Name, sender: Program, receiver: Program) {
    this.name = name;
    this.sender = sender;
    this.receiver = receiver;
  }

  /** The receiver waits, the sender does its part; what both report. */
  async both(receiving: Task, sending: Task): Promise<{ sent: Span & Times; received: Span & Times }> {
    this.receiver.tell(JSON.stringify(receiving));
    await this.receiver.line(/^ready$/);
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    const sent = await this.send(sending);
    return { sent, received: await reported(this.receiver) };
  }

  async send(task: Task): Promise<Span & Times> {
    this.sender.tell(JSON.stringify(task));
    return await reported(this.sender);
  }
}

interface Times {
  readonly times: readonly number[];
}

async function reported(peer: Program): Promise<Span & Times> {
  return JSON.parse(await peer.line(/^\{/)) as Span & Times;
}

const perSecond = ({ count }: Span, elapsedMs: number) => (count / elapsedMs) * 1000;

await contest(rows, 5, async (directory, isWanted) => {
  const redis = await startRedis();
  const hasPython = saysOf(python, '-c', 'import channels_redis') !== undefined;
  const bullmq = isWanted('add') || isWanted('one-way') ? await fetchBullMq(directory) : undefined;
  const pairs = new Map<Name, Pair>();

  async function startPeer(name: Name): Promise<Program> {
    const options = {
      kind: name,
      url: redis.url,
      prefix: name,
      path: join(directory, 'channels.db'),
      bullmq,
    };
    const args = [...process.execArgv, here('channels-peer.ts'), JSON.stringify(options)];
    return await Program.start({
      name,
      command: name === 'python' ? python : process.execPath,
      args: name === 'python' ? [here('channels_peer.py'), redis.url, name] : args,
      directory: here('../..'),
      ready: /^open$/,
    });
  }

  async function pairOf(name: Name): Promise<Pair> {
    const known = pairs.get(name);
    if (known !== undefined) return known;
    const pair = new Pair(name, await startPeer(name), await startPeer(name));
    pairs.set(name, pair);
    return pair;
  }

  /** One sends, the other receives: `sent` and `received` a second, `redisUs` of Redis' processor time a message. */
  async function flow(pair: Pair, key: string, count: number, sending: object): Promise<Found> {
    const channel = `${key}.${pair.name}`;
    const before = redis.cpuMs();
    const { sent, received } = await pair.both(
      { do: 'receive', channels: [channel], count, batch: 1, ...sending },
      { do: 'send', channel, count, inFlight: 1, batch: 1, ...sending },
    );
    const redisUs = ((redis.cpuMs() - before) / count) * 1000;
    if (sent.count !== count || received.count !== count)
      throw new Error(`${pair.name}: ${sent.count} of ${count} messages were sent, ${received.count} came`);
    return {
      sent: perSecond(sent, sent.until - sent.from),
      received: perSecond(received, received.until - sent.from),
      redisUs,
    };
  }

  async function pingPong(pair: Pair, rounds: number): Promise<Found> {
    const task = { ping: `ping.${pair.name}`, pong: `pong.${pair.name}`, rounds };
    const { sent } = await pair.both({ do: 'echo', ...task }, { do: 'ping', ...task });
    return quantiles(sent.times);
  }

  /** Messages to a group whose members are all in one other process: `delivered` to a member, a second. */
  async function group(pair: Pair, members: number, count: number, run: number): Promise<Found> {
    // Members of an earlier run would be sent to as well.
    const name = `group.${pair.name}.${members}.${run}`;
    const { sent, received } = await pair.both(
      { do: 'attend', group: name, members, count },
      { do: 'groupSend', group: name, count },
    );
    return { delivered: perSecond(received, received.until - sent.from) };
  }

  /** Sends while nobody receives. What was sent is received afterwards, untimed. */
  async function add(pair: Pair, count: number): Promise<Found> {
    const channel = `add.${pair.name}`;
    const sent = await pair.send({ do: 'send', channel, count, inFlight: 1, batch: 1 });
    pair.receiver.tell(JSON.stringify({ do: 'receive', channels: [channel], count, batch: 1 }));
    await reported(pair.receiver);
    return { sent: perSecond(sent, sent.until - sent.from) };
  }

  /** One message at a time, from the call that sends it to the receiver. */
  async function oneWay(pair: Pair, count: number): Promise<Found> {
    const channel = `paced.${pair.name}`;
    const { received } = await pair.both({ do: 'clock', channel, count }, { do: 'pace', channel, count });
    return quantiles(received.times);
  }

  /** @param counts how many messages for each contestant: as many as take it about half a second */
  function experiment(
    key: string,
    counts: Partial<Record<Name, number>>,
    measure: (pair: Pair, count: number, run: number) => Promise<Found>,
  ): Experiment {
    let run = 0;
    const measured = Object.entries(counts).map(([text, count]) => {
      const name = text as Name;
      return [
        name,
        async ({ quick }: Context) => {
          if (name === 'python' ? !hasPython : name === 'bullmq' && bullmq === undefined) return undefined;
          const pair = await pairOf(name);
          // The first call finds code cold.
          if (run === 0) await measure(pair, Math.max(100, count / 10), -1);
          const numbers = await measure(pair, quick ? Math.max(100, count / 10) : count, ++run);
          await flush(redis);
          return numbers;
        },
      ];
    });
    return { key, contestants: Object.fromEntries(measured) };
  }

  const experiments = [
    experiment(
      'one-by-one',
      { python: 1500, redis: 8000, sqlite: 30_000, bareSqlite: 30_000 },
      (pair, count) => flow(pair, 'one-by-one', count, {}),
    ),
    experiment('in-flight', { python: 1500, redis: 40_000 }, (pair, count) =>
      flow(pair, 'in-flight', count, { inFlight: 50 }),
    ),
    experiment('batches', { redis: 80_000, sqlite: 150_000 }, (pair, count) =>
      flow(pair, 'batches', count, { batch: 100 }),
    ),
    experiment('ping-pong', { python: 600, redis: 2500, sqlite: 2500 }, pingPong),
    experiment('group-100', { python: 200, redis: 1000 }, (pair, count, run) => group(pair, 100, count, run)),
    experiment('group-1000', { python: 100, redis: 200 }, (pair, count, run) =>
      group(pair, 1000, count / 5, run),
    ),
    experiment('add', { redis: 6000, bullmq: 6000 }, add),
    experiment('one-way', { redis: 400, sqlite: 400, bullmq: 400 }, oneWay),
  ];
  const close = async () => {
    await Promise.all(
      [...pairs.values()].flatMap(({ sender, receiver }) => [sender.stop(), receiver.stop()]),
    );
    await redis.close();
  };
  return { experiments, close };
});
