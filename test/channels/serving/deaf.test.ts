// Waiting and deaf, on the layers with their real stores.

import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import t, { type Test } from 'tap';
import {
  type ChannelLayer,
  Consumer,
  InMemoryChannelLayer,
  RedisChannelLayer,
  RedisPubSubChannelLayer,
  SqliteChannelLayer,
  silentMs,
  Worker,
  type WorkerEvent,
  type WorkerOptions,
} from '../../../channels/index.js';
import { eventually } from '../../support/programs.js';
import { RedisServer } from '../../support/redis.js';
import { siteDirectory } from '../../support/site.js';
import { Wire } from '../../support/wire.js';

// They wait for their stores most of the time.
t.jobs = 6;

class Silent extends Consumer<{ type: 'x' }> {
  x(): void {}
}

/** A worker, and what was told of deafness, by channel. */
interface Listener {
  readonly worker: Worker;
  readonly told: WorkerEvent[];
  untilTold(type: WorkerEvent['type'], channels?: number): Promise<void>;
  states(): string[];
}

async function listen(
  t: Test,
  layer: ChannelLayer,
  options: Pick<WorkerOptions, 'channels' | 'lease'>,
): Promise<Listener> {
  const told: WorkerEvent[] = [];
  const kinds: ReadonlyArray<WorkerEvent['type']> = ['deaf', 'hearsAgain', 'listenerFailed'];
  const stopping = new AbortController();
  let isListening = false;
  const worker = new Worker({
    application: Consumer.application(() => new Silent()),
    layer,
    ...options,
    graceMs: 0,
    onEvent: (event) => {
      isListening ||= event.type === 'listening';
      if (kinds.includes(event.type)) told.push(event);
    },
  });
  const done = worker.run(stopping.signal);
  t.teardown(async () => {
    stopping.abort();
    await done;
    await layer.close();
  });
  await eventually('it listens', () => isListening);
  const count = (type: WorkerEvent['type']) => told.filter((event) => event.type === type).length;
  return {
    worker,
    told,
    untilTold: (type, channels = 1) => eventually(`told: ${type}`, () => count(type) >= channels),
    states: () => worker.stats().map(({ state }) => state),
  };
}

/** Waits until the store of every channel was heard of. */
async function heard({ worker }: Listener): Promise<void> {
  await eventually('the store is heard of', () =>
    worker.stats().every(({ listening }) => typeof listening?.heardMsAgo === 'number'),
  );
}

/**
 * Claims that each of the channels went deaf and then heard again, and that each silence was told once. On a machine so
 * busy that this process stands still for seconds there may be more than one.
 */
function eachSilenceOnce(t: Test, { told }: Listener, channels: readonly string[]): void {
  for (const channel of channels) {
    const own = told
      .filter((event) => 'channel' in event && event.channel === channel)
      .map(({ type }) => type);
    t.ok(own.length >= 2, `${channel} was told as deaf and as hearing again`);
    t.same(
      own,
      own.map((_, i) => (i % 2 === 0 ? 'deaf' : 'hearsAgain')),
      channel,
    );
  }
}

// Redis is asked every two seconds and may be late by 2.5 s, as on a machine that is busy: due after 4.5 s.
const timing = { blockMs: 2000, timeoutMs: 10_000 };

t.test('an idle worker on Redis waits for longer than its store is due, and is not deaf', async (t) => {
  const server = await RedisServer.start(t);
  const layer = new RedisChannelLayer({ hosts: [server.url], blockMs: 1000, timeoutMs: 10_000 });
  const own = await layer.newChannel();
  const listener = await listen(t, layer, { channels: ['chat', own] });
  const leasing = await listen(
    t,
    new RedisChannelLayer({ hosts: [server.url], blockMs: 1000, timeoutMs: 10_000 }),
    {
      channels: ['mail'],
      lease: 60_000,
    },
  );
  const stats = () => [...listener.worker.stats(), ...leasing.worker.stats()];
  await eventually('all have waited for longer than due', () =>
    stats().every(({ listening }) => listening !== undefined && listening.waitingMs > listening.dueMs),
  );
  t.same([...listener.told, ...leasing.told], []);
  t.same([...listener.states(), ...leasing.states()], ['waiting', 'waiting', 'waiting']);
});

t.test(
  'a worker that had messages and then waits for longer than its store is due is not deaf',
  async (t) => {
    const server = await RedisServer.start(t);
    const options = { hosts: [server.url], blockMs: 1000, timeoutMs: 10_000 };
    const layer = new RedisChannelLayer(options);
    const channels = ['a', 'b', 'c', await layer.newChannel()];
    const listener = await listen(t, layer, { channels });
    const sender = new RedisChannelLayer(options);
    t.teardown(() => sender.close());
    for (let n = 1; n <= 5; n++) {
      for (const channel of channels) await sender.send(channel, { type: 'x' });
      await eventually('they are handled', () =>
        listener.worker.stats().every(({ handled }) => handled === n),
      );
    }
    let worstMs = 0;
    await eventually('all have waited for twice as long as due', () =>
      listener.worker.stats().every(({ listening }) => {
        if (listening === undefined) return false;
        worstMs = Math.max(worstMs, silentMs(listening) - listening.dueMs);
        return listening.waitingMs > 2 * listening.dueMs;
      }),
    );
    t.ok(worstMs <= 0, 'the store was heard of in time, always');
    t.same(listener.told, []);
    t.same(listener.states(), ['waiting', 'waiting', 'waiting', 'waiting']);
  },
);

t.test('a Redis that stands still makes deaf, and hearing again when it goes on', async (t) => {
  const server = await RedisServer.start(t);
  const layer = new RedisChannelLayer({ hosts: [server.url], ...timing });
  const own = await layer.newChannel();
  const listener = await listen(t, layer, { channels: ['chat', own] });
  await heard(listener);
  server.pause();
  await listener.untilTold('deaf', 2);
  t.same(listener.states(), ['deaf', 'deaf']);
  server.continue();
  await listener.untilTold('hearsAgain', 2);
  await eventually('both wait again', () => listener.states().join() === 'waiting,waiting');
  eachSilenceOnce(t, listener, ['chat', own]);
});

t.test('who waits for leases goes deaf and hears again in the same way', async (t) => {
  const server = await RedisServer.start(t);
  const layer = new RedisChannelLayer({ hosts: [server.url], ...timing });
  const listener = await listen(t, layer, { channels: ['mail'], lease: 60_000 });
  await heard(listener);
  server.pause();
  await listener.untilTold('deaf');
  server.continue();
  await listener.untilTold('hearsAgain');
  eachSilenceOnce(t, listener, ['mail']);
});

t.test('a connection whose other end is gone makes deaf', async (t) => {
  const server = await RedisServer.start(t);
  const wire = await Wire.start(t, server.port);
  const layer = new RedisChannelLayer({ hosts: [`redis://127.0.0.1:${wire.port}`], ...timing });
  const listener = await listen(t, layer, { channels: ['chat'] });
  await heard(listener);
  wire.cutForGood();
  await listener.untilTold('deaf');
  wire.mend();
  await listener.untilTold('hearsAgain');
  eachSilenceOnce(t, listener, ['chat']);
});

t.test('of several hosts, one that is silent makes deaf', async (t) => {
  const [one, other] = [await RedisServer.start(t), await RedisServer.start(t)];
  const layer = new RedisChannelLayer({ hosts: [one.url, other.url], ...timing });
  const listener = await listen(t, layer, { channels: ['chat'] });
  await heard(listener);
  await other.kill();
  await listener.untilTold('deaf');
  await other.restart();
  await listener.untilTold('hearsAgain');
  eachSilenceOnce(t, listener, ['chat']);
});

t.test('a server that refuses for good makes the listener restart, not deaf', async (t) => {
  const server = await RedisServer.start(t, { args: ['--requirepass', 'secret'] });
  const layer = new RedisChannelLayer({ hosts: [server.url], ...timing });
  const listener = await listen(t, layer, { channels: ['chat'] });
  await listener.untilTold('listenerFailed');
  t.same(listener.states(), ['restarting']);
});

t.test('a PubSub server that stands still makes deaf', async (t) => {
  const server = await RedisServer.start(t);
  const layer = new RedisPubSubChannelLayer({ hosts: [server.url], timeoutMs: 4000 });
  const listener = await listen(t, layer, { channels: ['chat'] });
  await heard(listener);
  server.pause();
  await listener.untilTold('deaf');
  t.same(listener.states(), ['deaf']);
  server.continue();
  await listener.untilTold('hearsAgain');
  eachSilenceOnce(t, listener, ['chat']);
});

t.test('a PubSub server with nothing to say is heard of all the same', async (t) => {
  const server = await RedisServer.start(t);
  const layer = new RedisPubSubChannelLayer({ hosts: [server.url], timeoutMs: 4000 });
  const listener = await listen(t, layer, { channels: ['chat'] });
  await eventually('it has waited for longer than due', () =>
    listener.worker
      .stats()
      .every(({ listening }) => listening !== undefined && listening.waitingMs > listening.dueMs),
  );
  t.same(listener.told, []);
});

t.test('a SQLite file from which nothing can be taken makes deaf', async (t) => {
  const path = join(siteDirectory(t), 'channels.db');
  const layer = new SqliteChannelLayer({ path });
  await layer.send('chat', { type: 'x' });
  const other = new Database(path);
  t.teardown(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  const listener = await listen(t, layer, { channels: ['chat'] });
  await listener.untilTold('deaf');
  t.same(listener.states(), ['deaf']);
  other.exec('COMMIT');
  await listener.untilTold('hearsAgain');
  eachSilenceOnce(t, listener, ['chat']);
});

t.test('a SQLite file that has vanished with its directory makes deaf', async (t) => {
  const path = join(siteDirectory(t), 'channels.db');
  const layer = new SqliteChannelLayer({ path });
  const listener = await listen(t, layer, { channels: ['chat'] });
  await heard(listener);
  rmSync(dirname(path), { recursive: true });
  await listener.untilTold('deaf');
  t.match(listener.told, [{ type: 'deaf' }]);
});

t.test('an idle worker on SQLite hears of its file between two looks', async (t) => {
  const layer = new SqliteChannelLayer({ path: join(siteDirectory(t), 'channels.db') });
  const listener = await listen(t, layer, { channels: ['chat'] });
  await heard(listener);
  const heardMsAgo = () => {
    const [stats] = listener.worker.stats();
    if (stats?.listening === undefined) throw new Error('it listens');
    t.ok(silentMs(stats.listening) <= stats.listening.dueMs);
    return stats.listening.heardMsAgo ?? 0;
  };
  let [before, looks] = [heardMsAgo(), 0];
  await eventually('it has looked twice more', () => {
    const now = heardMsAgo();
    if (now < before) looks++;
    before = now;
    return looks >= 2;
  });
  t.same(listener.told, []);
});

t.test('memory is never deaf', async (t) => {
  const listener = await listen(t, new InMemoryChannelLayer(), { channels: ['chat'] });
  t.match(listener.worker.stats(), [{ state: 'waiting', listening: undefined }]);
});

t.test('a layer that nobody receives on owes nothing', async (t) => {
  const server = await RedisServer.start(t);
  const path = join(siteDirectory(t), 'channels.db');
  for (const layer of [
    new RedisChannelLayer({ hosts: [server.url] }),
    new RedisPubSubChannelLayer({ hosts: [server.url] }),
    new SqliteChannelLayer({ path }),
  ]) {
    await layer.send('chat', { type: 'x' });
    t.equal(layer.listening('chat'), undefined);
    await layer.close();
  }
});
