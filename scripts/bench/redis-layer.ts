// Measures the Redis channel layer against a server: sends and receives a second, one by one, in batches and on lease,
// beside bare commands of the client library, and the time of a message there and back between two connections.
//
//   node scripts/bench.mjs redis-layer redis://127.0.0.1:6379/15
//
// Leaves nothing behind: all keys begin with `bench:` and are removed. Prints a table on stdout. Exit codes: 0 done,
// 1 failed, 2 no URL.

import { randomBytes } from 'node:crypto';
import { cpus } from 'node:os';
import { Redis } from 'ioredis';
import { scripts } from '../../channels/layers/redis/scripts.js';
import { RedisChannelLayer } from '../../channels/layers/redis.js';
import { decode, encode } from '../../channels/msgpack.js';

const batchSize = 100;
const message = { type: 'log.record', text: 'x'.repeat(80), n: 1 };

async function main(url: string): Promise<void> {
  const open = () => new RedisChannelLayer({ hosts: [url], prefix: 'bench:', capacity: 1_000_000 });
  const [one, two] = [open(), open()];
  try {
    print('machine', `${cpus().length} cores, Node.js ${process.version}, messages of about 100 bytes`);
    await measureCodec();
    await measureThroughput(one, two);
    await measureFlow(one, two, url);
    await measureBare(url);
    await measurePingPong('there and back, one process', one, two, (layer, channel) =>
      layer.receive(channel),
    );
    await measurePingPong('the same on lease', one, two, async (layer, channel) => {
      await (await layer.receive(channel, { lease: 30_000 })).ack();
    });
    await one.flush();
  } finally {
    await Promise.all([one.close(), two.close()]);
  }
}

async function measureCodec(): Promise<void> {
  const count = 500_000;
  const bytes = encode(message);
  await rate('encode', count, async () => {
    for (let n = 0; n < count; n++) encode(message);
  });
  await rate('decode', count, async () => {
    for (let n = 0; n < count; n++) decode(bytes);
  });
}

async function measureThroughput(sender: RedisChannelLayer, receiver: RedisChannelLayer): Promise<void> {
  const count = 20_000;
  await rate('send, one after another', count, async () => {
    for (let n = 0; n < count; n++) await sender.send('one', message);
  });
  await rate('receive, one after another', count, async () => {
    for (let n = 0; n < count; n++) await receiver.receive('one');
  });
  await rate('send, 100 in a turn', count, async () => {
    for (let n = 0; n < count; n += 100)
      await Promise.all(Array.from({ length: 100 }, () => sender.send('hundred', message)));
  });
  await rate('receive, 100 in a turn', count, async () => {
    for (let n = 0; n < count; n += 100)
      await Promise.all(Array.from({ length: 100 }, () => receiver.receive('hundred')));
  });
}

/** One layer sends while the other receives. The rate is of those received; the time of Redis is for both. */
async function measureFlow(
  sender: RedisChannelLayer,
  receiver: RedisChannelLayer,
  url: string,
): Promise<void> {
  const raw = new Redis(url);
  const batch = Array.from({ length: batchSize }, () => message);
  const oneByOne = async (channel: string, count: number) => {
    for (let n = 0; n < count; n++) await sender.send(channel, message);
  };
  const inFlight = async (channel: string, count: number) => {
    const lane = async () => oneByOne(channel, count / 50);
    await Promise.all(Array.from({ length: 50 }, lane));
  };
  const inBatches = async (channel: string, count: number) => {
    for (let n = 0; n < count; n += batchSize) await sender.sendMany(channel, batch);
  };
  const receive = async (channel: string) => {
    await receiver.receive(channel);
    return 1;
  };
  const receiveMany = async (channel: string) =>
    (await receiver.receiveMany(channel, { max: batchSize })).length;
  const lease = async (channel: string) => {
    const leased = await receiver.receiveMany(channel, { max: batchSize, lease: 30_000 });
    await Promise.all(leased.map((each) => each.ack()));
    return leased.length;
  };
  const ways: ReadonlyArray<[string, typeof oneByOne, typeof receive, number]> = [
    ['one by one, received one by one', oneByOne, receive, 10_000],
    ['50 in flight, received one by one', inFlight, receive, 20_000],
    ['50 in flight, receiveMany', inFlight, receiveMany, 50_000],
    ['sendMany, receiveMany of 100', inBatches, receiveMany, 200_000],
    ['sendMany, leases of 100, ack', inBatches, lease, 100_000],
  ];
  for (const [name, send, take, count] of ways) {
    const cpuFrom = await redisCpuMs(raw);
    const from = performance.now();
    const sent = send(name.replace(/[ ,]+/g, '.'), count);
    for (let n = 0; n < count; ) n += await take(name.replace(/[ ,]+/g, '.'));
    const elapsedMs = performance.now() - from;
    await sent;
    const cpuUs = ((await redisCpuMs(raw)) - cpuFrom) * (1000 / count);
    print(name, `${perSecond(count, elapsedMs)} a second, ${cpuUs.toFixed(1)} µs of Redis a message`);
  }
  raw.disconnect();
}

/** What the client library does without the layer: pipelines of 100 scripts that send one each, and reads of 100. */
async function measureBare(url: string): Promise<void> {
  const [sender, receiver] = [new Redis(url, { scripts }), new Redis(url)];
  const pipelines = sender as unknown as { pipeline(): BarePipeline };
  const body = Buffer.from(encode(message));
  const count = 100_000;
  const key = 'bench:bare';
  const from = performance.now();
  const sending = (async () => {
    for (let n = 0; n < count; n += batchSize) {
      const pipeline = pipelines.pipeline();
      for (let i = 0; i < batchSize; i++) {
        const now = Date.now() / 1000;
        pipeline.deliver(1, key, now, 1, 1_000_000, now - 60, 60_000, Buffer.concat([randomBytes(12), body]));
      }
      await pipeline.exec();
    }
  })();
  for (let n = 0; n < count; ) {
    const reply = (await receiver.callBuffer('BZMPOP', '10', '1', key, 'MIN', 'COUNT', '100')) as [
      Buffer,
      Buffer[][],
    ];
    for (const [member] of reply[1]) decode((member ?? Buffer.alloc(0)).subarray(12));
    n += reply[1].length;
  }
  print('bare: pipelines of 100 scripts', `${perSecond(count, performance.now() - from)} a second`);
  await sending;
  const single = sender as unknown as { deliver(...args: unknown[]): Promise<unknown> };
  const singles = 10_000;
  const singleFrom = performance.now();
  for (let n = 0; n < singles; n++) {
    const now = Date.now() / 1000;
    await single.deliver(1, key, now, 1, 1_000_000, now - 60, 60_000, Buffer.concat([randomBytes(12), body]));
  }
  print('bare: one script after another', `${perSecond(singles, performance.now() - singleFrom)} a second`);
  sender.disconnect();
  receiver.disconnect();
}

interface BarePipeline {
  deliver(...args: unknown[]): unknown;
  exec(): Promise<unknown>;
}

async function redisCpuMs(raw: Redis): Promise<number> {
  const info = await raw.info('cpu');
  const seconds = [...info.matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)].map(([, text]) => Number(text));
  return seconds.reduce((sum, each) => sum + each, 0) * 1000;
}

async function measurePingPong(
  name: string,
  one: RedisChannelLayer,
  two: RedisChannelLayer,
  receive: (layer: RedisChannelLayer, channel: string) => Promise<unknown>,
): Promise<void> {
  const rounds = 3000;
  const echo = (async () => {
    for (let n = 0; n < rounds; n++) {
      await receive(two, 'ping');
      await two.send('pong', message);
    }
  })();
  const times: number[] = [];
  for (let n = 0; n < rounds; n++) {
    const from = performance.now();
    await one.send('ping', message);
    await receive(one, 'pong');
    times.push(performance.now() - from);
  }
  await echo;
  times.sort((a, b) => a - b);
  const at = (quantile: number) => (times[Math.floor(rounds * quantile)] ?? 0).toFixed(3);
  print(name, `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
}

async function rate(what: string, count: number, work: () => Promise<void>): Promise<void> {
  const from = performance.now();
  await work();
  print(what, `${perSecond(count, performance.now() - from)} a second`);
}

function perSecond(count: number, elapsedMs: number): string {
  return Math.round((count / elapsedMs) * 1000).toLocaleString('en');
}

function print(what: string, found: string): void {
  process.stdout.write(`${what.padEnd(36)}${found}\n`);
}

const [url] = process.argv.slice(2);
if (url === undefined) {
  process.stderr.write('usage: redis-layer.js URL\n');
  process.exitCode = 2;
} else {
  await main(url);
}
