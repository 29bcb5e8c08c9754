import t from 'tap';
import type { DroppedMessage, Received } from '../../../channels/index.js';
import { LocalQueues, type ProcessMessage } from '../../../channels/layers/local-queues.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { turns, until } from '../../support/until.js';

/** A `take` under way, which the test answers. */
interface Take {
  readonly key: string;
  readonly signal: AbortSignal;
  resolve(...messages: ProcessMessage[]): void;
  reject(error: Error): void;
}

function setUp() {
  const clock = new ManualClock();
  const takes: Take[] = [];
  const dropped: DroppedMessage[] = [];
  const local = new LocalQueues({
    capacity: () => 2,
    expiryMs: 1000,
    now: clock.now,
    onDrop: (drop) => dropped.push(drop),
    take: (key, _wanted, signal) =>
      new Promise((resolve, reject) => {
        takes.push({ key, signal, resolve: (...messages) => resolve(messages), reject });
      }),
  });
  const nextTake = async (count: number): Promise<Take> => {
    await until(`take ${count} is under way`, () => takes.length === count);
    const take = takes.at(-1);
    if (take === undefined) throw new Error('no take');
    return take;
  };
  return { clock, takes, dropped, local, nextTake };
}

async function receive(
  local: LocalQueues,
  channel: string,
  signal?: AbortSignal,
): Promise<Received | undefined> {
  const [message] = await local.receiveMany(channel, 1, signal);
  return message;
}

function message(n: number, ...channels: string[]): ProcessMessage {
  return { channels, read: () => ({ type: 'test', n }) };
}

t.test('nothing is taken while nobody waits', async (t) => {
  const { local, takes, nextTake } = setUp();
  const [one, two] = [local.newChannel(), local.newChannel()];
  await turns();
  t.equal(takes.length, 0);
  const waiting = receive(local, one);
  const take = await nextTake(1);
  t.equal(take.key, one.slice(0, one.indexOf('!') + 1));
  take.resolve(message(1, one), message(2, two));
  t.same(await waiting, { type: 'test', n: 1 });
  t.same(await receive(local, two), { type: 'test', n: 2 }, 'what came along is kept');
  await turns();
  t.equal(takes.length, 1);
});

t.test(
  'who receives one by one and who receives several at once are served with one take each',
  async (t) => {
    const { local, takes, nextTake } = setUp();
    const one = local.newChannel();
    for (const n of [1, 2, 3]) {
      const waiting = receive(local, one);
      const take = await nextTake(n);
      take.resolve(message(n, one));
      t.same(await waiting, { type: 'test', n });
      t.notOk(take.signal.aborted, 'what came back need not be called off');
    }
    const waiting = local.receiveMany(one, 5);
    (await nextTake(4)).resolve(message(4, one), message(5, one));
    t.same(await waiting, [{ type: 'test', n: 4 }]);
    t.same(await local.receiveMany(one, 5), [{ type: 'test', n: 5 }]);
    t.equal(takes.length, 4);
  },
);

t.test('a foreign channel is refused, and refused again', async (t) => {
  const { local } = setUp();
  for (let i = 0; i < 2; i++)
    await t.rejects(receive(local, 'specific.other!one'), { code: 'CHANNELS_ERR_FOREIGN_CHANNEL' });
});

t.test('one take at a time serves all who wait, and goes on while one of them does', async (t) => {
  const { local, takes, nextTake } = setUp();
  const [one, two] = [local.newChannel(), local.newChannel()];
  const waiting = [receive(local, one), receive(local, two), receive(local, two)];
  (await nextTake(1)).resolve(message(1, one, two));
  t.same(await waiting[0], { type: 'test', n: 1 });
  t.same(await waiting[1], { type: 'test', n: 1 });
  (await nextTake(2)).resolve(message(2, two));
  t.same(await waiting[2], { type: 'test', n: 2 });
  await turns();
  t.equal(takes.length, 2);
});

t.test('channels with other prefixes have a key of their own', async (t) => {
  const { local, takes } = setUp();
  const waiting = [receive(local, local.newChannel()), receive(local, local.newChannel('other'))];
  await until('both are asked for', () => takes.length === 2);
  t.equal(new Set(takes.map((take) => take.key)).size, 2);
  const closed = waiting.map((wait) => t.rejects(wait, { code: 'CHANNELS_ERR_LAYER_CLOSED' }));
  const closing = local.close();
  for (const take of takes) take.reject(new Error('called off'));
  await Promise.all([closing, ...closed]);
});

t.test(
  'a take is called off when the last one leaves, and what it brings all the same is kept',
  async (t) => {
    const { local, nextTake } = setUp();
    const channel = local.newChannel();
    const [first, second] = [new AbortController(), new AbortController()];
    const one = receive(local, channel, first.signal);
    const two = receive(local, channel, second.signal);
    const take = await nextTake(1);
    first.abort();
    await t.rejects(one);
    t.equal(take.signal.aborted, false, 'one still waits');
    second.abort();
    await t.rejects(two);
    t.equal(take.signal.aborted, true);
    take.resolve(message(1, channel));
    await turns();
    t.same(await receive(local, channel), { type: 'test', n: 1 });
  },
);

t.test('who comes after a take was called off gets a new one, when the old one has ended', async (t) => {
  const { local, takes, nextTake } = setUp();
  const channel = local.newChannel();
  const controller = new AbortController();
  const left = receive(local, channel, controller.signal);
  const old = await nextTake(1);
  controller.abort();
  await t.rejects(left);
  const waiting = receive(local, channel);
  await turns();
  t.equal(takes.length, 1, 'not two at a time');
  old.reject(new Error('called off'));
  (await nextTake(2)).resolve(message(1, channel));
  t.same(await waiting, { type: 'test', n: 1 });
});

t.test('a take that fails fails those who wait, and the next one tries again', async (t) => {
  const { local, nextTake } = setUp();
  const [one, two] = [local.newChannel(), local.newChannel()];
  const failing = [receive(local, one), receive(local, two)].map((wait) =>
    t.rejects(wait, { message: 'away' }),
  );
  (await nextTake(1)).reject(new Error('away'));
  await Promise.all(failing);
  const waiting = receive(local, one);
  (await nextTake(2)).resolve(message(1, one));
  t.same(await waiting, { type: 'test', n: 1 });
});

t.test('a message for several channels is read for each of them', async (t) => {
  const { local, nextTake } = setUp();
  const [one, two] = [local.newChannel(), local.newChannel()];
  const waiting = [receive(local, one), receive(local, two)];
  (await nextTake(1)).resolve(message(1, one, two));
  const [first, second]: (Received | undefined)[] = await Promise.all(waiting);
  t.not(first, second);
  t.same(first, second);
});

t.test('what is kept longer than the expiry is dropped and told', async (t) => {
  const { clock, dropped, local, nextTake } = setUp();
  const [asking, late, gone] = [local.newChannel(), local.newChannel(), local.newChannel()];
  const waiting = receive(local, asking);
  (await nextTake(1)).resolve(message(1, late), message(2, gone), message(3, asking));
  await waiting;
  clock.advance(500);
  const again = receive(local, asking);
  (await nextTake(2)).resolve(message(4, late), message(5, asking));
  await again;
  clock.advance(500);
  t.same(await receive(local, late), { type: 'test', n: 4 }, 'the older one is gone');
  t.same(dropped, [{ channel: late, reason: 'expired' }]);
  const third = receive(local, asking);
  (await nextTake(3)).resolve(message(6, asking));
  await third;
  t.same(dropped[1], { channel: gone, reason: 'expired' }, 'nobody has to ask for it');
});

t.test('close waits for the take under way', async (t) => {
  const { local, nextTake } = setUp();
  const channel = local.newChannel();
  const waiting = receive(local, channel);
  const take = await nextTake(1);
  let isClosed = false;
  const closing = Promise.all([local.close(), local.close()]).then(() => {
    isClosed = true;
  });
  await t.rejects(waiting, { code: 'CHANNELS_ERR_LAYER_CLOSED' });
  t.equal(take.signal.aborted, true);
  await turns();
  t.equal(isClosed, false);
  take.reject(new Error('called off'));
  await closing;
  await t.rejects(receive(local, channel), { code: 'CHANNELS_ERR_LAYER_CLOSED' });
});

t.test('a subscriber gets what was kept and what comes, until it ends or fails', async (t) => {
  const { local, nextTake } = setUp();
  const [one, two] = [local.newChannel(), local.newChannel()];
  const waiting = receive(local, one);
  (await nextTake(1)).resolve(message(1, two), message(2, one));
  await waiting;
  const got: Received[] = [];
  const failures: unknown[] = [];
  const subscribe = () =>
    local.subscribe(
      two,
      (received) => got.push(received),
      (error) => failures.push(error),
    );
  const stop = subscribe();
  t.same(got, [{ type: 'test', n: 1 }]);
  (await nextTake(2)).resolve(message(3, two), message(4, two));
  const take = await nextTake(3);
  t.same(
    got.map(({ n }) => n),
    [1, 3, 4],
    'it goes on',
  );
  stop();
  t.ok(take.signal.aborted, 'nobody wants messages any more');
  take.resolve();
  await turns();
  subscribe();
  (await nextTake(4)).reject(new Error('the store is away'));
  await until('the subscriber is told', () => failures.length === 1);
  t.throws(
    () =>
      local.subscribe(
        'specific.other!1',
        () => undefined,
        () => undefined,
      ),
    {
      code: 'CHANNELS_ERR_FOREIGN_CHANNEL',
    },
  );
});
