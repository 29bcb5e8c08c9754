// Measures the Redis channel layer against a server: sends and receives a second, and the time of a message there and
// back between two connections.
//
//   npm run build && node dist/scripts/bench/redis-layer.js redis://127.0.0.1:6379/15
//
// Leaves nothing behind: all keys begin with `bench:` and are removed. Prints a table on stdout. Exit codes: 0 done,
// 1 failed, 2 no URL.

import { cpus } from 'node:os';
import { RedisChannelLayer } from '../../channels/layers/redis.js';
import { decode, encode } from '../../channels/msgpack.js';

const message = { type: 'log.record', text: 'x'.repeat(80), n: 1 };

async function main(url: string): Promise<void> {
  const open = () => new RedisChannelLayer({ hosts: [url], prefix: 'bench:', capacity: 1_000_000 });
  const [one, two] = [open(), open()];
  try {
    print('machine', `${cpus().length} cores, Node.js ${process.version}, messages of about 100 bytes`);
    await measureCodec();
    await measureThroughput(one, two);
    await measurePingPong(one, two);
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

async function measurePingPong(one: RedisChannelLayer, two: RedisChannelLayer): Promise<void> {
  const rounds = 3000;
  const echo = (async () => {
    for (let n = 0; n < rounds; n++) {
      await two.receive('ping');
      await two.send('pong', message);
    }
  })();
  const times: number[] = [];
  for (let n = 0; n < rounds; n++) {
    const from = performance.now();
    await one.send('ping', message);
    await one.receive('pong');
    times.push(performance.now() - from);
  }
  await echo;
  times.sort((a, b) => a - b);
  const at = (quantile: number) => (times[Math.floor(rounds * quantile)] ?? 0).toFixed(3);
  print('there and back, one process', `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
}

async function rate(what: string, count: number, work: () => Promise<void>): Promise<void> {
  const from = performance.now();
  await work();
  const seconds = (performance.now() - from) / 1000;
  print(what, `${Math.round(count / seconds).toLocaleString('en')} a second`);
}

function print(what: string, found: string): void {
  process.stdout.write(`${what.padEnd(32)}${found}\n`);
}

const [url] = process.argv.slice(2);
if (url === undefined) {
  process.stderr.write('usage: redis-layer.js URL\n');
  process.exitCode = 2;
} else {
  await main(url);
}
