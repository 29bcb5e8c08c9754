// Channels on which nothing comes are waited on together; who waits on them does not notice.

import t, { type Test } from 'tap';
import { Host } from '../../channels/layers/redis/host.js';
import { parseHosts } from '../../channels/layers/redis/hosts.js';
import type { SharedReads } from '../../channels/layers/redis/shared-reads.js';
import { RedisChannelLayer } from '../../channels/layers/redis.js';
import { patientMs } from '../support/patience.js';
import { RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';

const server = await RedisServer.start(t);
const raw = server.client(t);
let prefixes = 0;

/** Reads that by default last so long that none ends by itself. */
function sharedReads(t: Test, { url = server.url, blockMs = 60_000 } = {}): SharedReads {
  const [address] = parseHosts([url], '');
  if (address === undefined) throw new RangeError('no address');
  const connection = { address, connectWithinMs: patientMs, replyWithinMs: patientMs };
  const host = new Host({ connection, now: Date.now, blockMs });
  t.teardown(() => host.close());
  return host.shared();
}

async function blocked(count: number): Promise<void> {
  await until(`${count} clients are blocked`, async () =>
    (await raw.info('clients')).includes(`blocked_clients:${count}\r\n`),
  );
}

/** Waits for the next entry as a reader does: again and again. */
async function next(reads: SharedReads, key: string, wanted = { is: true }): Promise<string | undefined> {
  while (wanted.is) {
    const entries = await reads.take(
      [key],
      () => wanted.is,
      () => undefined,
    );
    if (entries === undefined) return 'alone';
    const [entry] = entries;
    if (entry !== undefined) return `${entry.key} ${entry.member}`;
  }
  return undefined;
}

t.test('channels on which nothing comes share a read, and each gets what comes, in its order', async (t) => {
  const prefix = `quiet${++prefixes}:`;
  const names = Array.from({ length: 5 }, (_, i) => `chat${i}`);
  const monitor = await server.client(t).monitor();
  t.teardown(() => monitor.disconnect());
  let isShared = false;
  monitor.on('monitor', (_time: string, [command = '', ...keys]: string[]) => {
    if (/bzpopmin/i.test(command) && names.every((name) => keys.includes(prefix + name))) isShared = true;
  });
  const options = { hosts: [server.url], prefix, timeoutMs: patientMs };
  const [layer, sender] = [
    new RedisChannelLayer({ ...options, blockMs: 100 }),
    new RedisChannelLayer(options),
  ];
  t.teardown(() => Promise.all([layer.close(), sender.close()]));
  const received = names.map(async (name) => {
    const numbers: unknown[] = [];
    for (let message = await layer.receive(name); message.type === 'x'; message = await layer.receive(name))
      numbers.push(message.n);
    return numbers;
  });
  await until('one read waits for all', () => isShared);
  for (let n = 0; n < 20; n++) for (const name of names) await sender.send(name, { type: 'x', ...{ n } });
  for (const name of names) await sender.send(name, { type: 'end' });
  t.same(
    await Promise.all(received),
    names.map(() => [...Array(20).keys()]),
  );
});

t.test('who comes while others wait has not to wait for the end of their read', async (t) => {
  const reads = sharedReads(t);
  const first = next(reads, 'first');
  await blocked(1);
  const second = next(reads, 'second');
  await raw.zadd('second', 1, 'x');
  t.equal(await second, 'second x');
  await raw.zadd('first', 1, 'y');
  t.equal(await first, 'first y');
});

t.test('who waits on is not woken when nothing comes, or something for another', async (t) => {
  const reads = sharedReads(t, { blockMs: 10 });
  let [reading, woken] = [0, 0];
  const waiting = reads.take(
    ['quiet'],
    () => true,
    () => reading++,
  );
  void waiting.then(() => woken++);
  const other = next(reads, 'lively');
  await until('it was read again and again', () => reading > 3);
  await raw.zadd('lively', 1, 'x');
  t.equal(await other, 'lively x');
  const before = reading;
  await until('reading goes on', () => reading > before + 1);
  t.equal(woken, 0);
  await raw.zadd('quiet', 1, 'y');
  const entries = await waiting;
  t.same(
    entries?.map(({ member }) => String(member)),
    ['y'],
  );
});

t.test('who stops waiting is given nothing, and the others go on waiting', async (t) => {
  const reads = sharedReads(t);
  const wanted = { is: true };
  const [one, other] = [next(reads, 'one', wanted), next(reads, 'other')];
  await blocked(1);
  wanted.is = false;
  await reads.unblock(() => false);
  t.equal(await one, undefined);
  await blocked(1);
  await raw.zadd('one', 1, 'x');
  await raw.zadd('other', 1, 'y');
  t.equal(await other, 'other y');
  t.equal(await raw.zcard('one'), 1);
  await blocked(0);
});

t.test('a key that holds something else keeps the others from nothing: each reads alone', async (t) => {
  const reads = sharedReads(t);
  await raw.set('text', 'x');
  t.same(await Promise.all([next(reads, 'fine'), next(reads, 'text')]), ['alone', 'alone']);
});

t.test('a user who may not end a read reads alone what comes later', async (t) => {
  await raw.call('ACL', 'SETUSER', 'some', 'on', '>pw', '~*', '+@all', '-client|unblock');
  const reads = sharedReads(t, { url: `redis://some:pw@127.0.0.1:${server.port}` });
  const first = next(reads, 'first');
  await blocked(1);
  t.equal(await next(reads, 'second'), 'alone');
  t.equal(await next(reads, 'third'), 'alone');
  await raw.zadd('first', 1, 'x');
  t.equal(await first, 'first x');
});
