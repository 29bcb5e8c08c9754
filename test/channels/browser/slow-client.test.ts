import t, { type Test } from 'tap';
import { Outbox } from '../../../channels/browser/slow-client.js';
import {
  Consumer,
  type Handlers,
  InMemoryChannelLayer,
  type Message,
  SlowClient,
  WebsocketConsumer,
} from '../../../channels/index.js';
import type { ServerLimits } from '../../../channels/server/index.js';
import { SocketClient, startServer } from '../../support/protocol-server.js';
import { until } from '../../support/until.js';

interface Item extends Message {
  readonly type: 'feed.item';
  readonly n: number;
}

const count = 300;
const bytes = 40_000;

/** Sends each item of a group to its client as `N:` and a long text. */
class Feed extends WebsocketConsumer<Item> implements Handlers<Item> {
  override readonly groups = ['feed'];
  override slowClient = SlowClient.close();
  readonly #chosen: SlowClient;

  constructor(layer: InMemoryChannelLayer, chosen: SlowClient) {
    super({ layer });
    this.#chosen = chosen;
  }

  override async connect() {
    this.slowClient = this.#chosen;
    await this.accept();
  }

  async feedItem({ n }: Item) {
    await this.send(`${n}:${'x'.repeat(bytes)}`);
  }
}

/** One client that does not read, one that does, and `count` items for both. */
async function stall(t: Test, slowClient: SlowClient, limits: Partial<ServerLimits> = {}) {
  const layer = new InMemoryChannelLayer();
  t.teardown(() => layer.close());
  const application = Consumer.application(
    ({ path }) => new Feed(layer, path === '/slow' ? slowClient : SlowClient.close()),
  );
  const { wsUrl, server } = await startServer(t, application, { limits });
  const slow = await SocketClient.open(t, `${wsUrl}/slow`);
  const quick = await SocketClient.open(t, `${wsUrl}/quick`);
  await until('both are members', async () => (await layer.groups('feed'))[0]?.members.length === 2);
  slow.wire.pause();
  for (let n = 0; n < count; n++) {
    await layer.groupSend('feed', { type: 'feed.item', n } as Message);
    await quick.hasMessages(n + 1);
  }
  t.equal(quick.messages.length, count, 'the other client got all');
  const find = () => server.sockets().find(({ path }) => path === '/slow');
  return { slow, find, layer, quick };
}

const numbers = (messages: Array<string | Buffer>) =>
  messages.filter((each) => /^\d+:/.test(String(each))).map((each) => Number.parseInt(String(each), 10));
const announced = (messages: Array<string | Buffer>) =>
  messages.reduce((sum, each) => sum + Number(/^dropped (\d+)$/.exec(String(each))?.[1] ?? 0), 0);
const announce = (dropped: number) => `dropped ${dropped}`;

t.test('by default a client that does not read is closed with 1013', async (t) => {
  const { slow, find } = await stall(t, SlowClient.close());
  await until('what waited was dropped', () => (find()?.queuedBytes ?? 0) < bytes * 10);
  slow.wire.resume();
  t.equal((await slow.isClosed()).code, 1013);
  t.ok(slow.messages.length < count);
});

t.test('with dropOldest the oldest are dropped, counted and announced', async (t) => {
  const { slow, find } = await stall(t, SlowClient.dropOldest({ announce, maxBytes: bytes * 5 }));
  const { dropped = 0, queuedBytes = 0 } = find() ?? {};
  t.ok(dropped > 0 && queuedBytes < bytes * 12, `${dropped} were dropped, ${queuedBytes} bytes wait`);
  slow.wire.resume();
  await until('the last one came', () => numbers(slow.messages).at(-1) === count - 1);
  const got = numbers(slow.messages);
  t.equal(got.length + announced(slow.messages), count, 'sent = delivered + announced');
  t.equal(announced(slow.messages), find()?.dropped);
  t.same(
    got,
    got.toSorted((a, b) => a - b),
  );
});

t.test('with latestBy the latest of each key waits', async (t) => {
  const keyOf = (data: unknown) => String(Number.parseInt(String(data), 10) % 3);
  const { slow, find } = await stall(t, SlowClient.latestBy(keyOf, { announce }));
  t.ok((find()?.queuedBytes ?? 0) < bytes * 12);
  slow.wire.resume();
  await until('the last three came', () =>
    [1, 2, 3].every((back) => numbers(slow.messages).includes(count - back)),
  );
  t.equal(numbers(slow.messages).length + announced(slow.messages), count);
});

t.test('with wait nothing is lost, and the channel is emptied all the same', async (t) => {
  const { slow, find } = await stall(t, SlowClient.wait());
  slow.wire.resume();
  await slow.hasMessages(count);
  t.same(
    numbers(slow.messages),
    Array.from({ length: count }, (_, n) => n),
  );
  t.equal(find()?.dropped, 0);
});

t.test('with wait a client that is too far behind is closed with 1013', async (t) => {
  const { slow, layer, quick } = await stall(t, SlowClient.wait());
  for (let n = count; n < count + 1100; n++) {
    await layer.groupSend('feed', { type: 'feed.item', n } as Message);
    await quick.hasMessages(n + 1);
  }
  slow.wire.resume();
  t.equal((await slow.isClosed()).code, 1013);
});

t.test('the queues of all sockets together are limited', async (t) => {
  const { slow } = await stall(t, SlowClient.close({ maxBytes: 1e9 }), { maxQueuedBytes: bytes * 10 });
  slow.wire.resume();
  t.equal((await slow.isClosed()).code, 1013);
});

/** An outbox whose client reads nothing until `read`. */
function stalledOutbox(policy: SlowClient, hasRoom = true) {
  let read: () => void = () => undefined;
  const isReading = new Promise<void>((resolve) => {
    read = resolve;
  });
  const sent: unknown[] = [];
  const send = async (message: Message) => {
    await isReading;
    sent.push(Reflect.get(message, 'text') ?? Reflect.get(message, 'code'));
  };
  const extension = {
    ...{ groups: new Set<string>(), dropped: 0, queuedBytes: 0 },
    ...{ hasRoom: () => hasRoom, report: () => undefined },
  };
  return { outbox: new Outbox(send, policy, extension), sent, read };
}

t.test('what was dropped before the consumer closes the socket is announced', async (t) => {
  const { outbox, sent, read } = stalledOutbox(SlowClient.dropOldest({ announce, maxBytes: 3 }));
  for (const text of ['one', 'two', 'six']) await outbox.put(text);
  outbox.close(4000, '');
  read();
  await outbox.flushed();
  t.same(sent, ['one', 'dropped 1', 'six', 4000]);
});

t.test('a burst closes no client while others fill the queues of the server', async (t) => {
  const { outbox, sent, read } = stalledOutbox(SlowClient.close(), false);
  for (let i = 0; i < 10; i++) await outbox.put('x'.repeat(1000));
  read();
  await outbox.flushed();
  t.equal(sent.length, 10);
});

t.test('with latestBy the latest of ten thousand keys waits, each in its turn', async (t) => {
  const keyOf = (data: unknown) => String(data).split(' ')[0];
  const { outbox, sent, read } = stalledOutbox(SlowClient.latestBy(keyOf));
  await outbox.put('first');
  for (const round of ['a', 'b', 'c'])
    for (let key = 0; key < 10_000; key++) await outbox.put(`${key} ${round}`);
  read();
  await outbox.flushed();
  t.same(sent, ['first', ...Array.from({ length: 10_000 }, (_, key) => `${key} c`)]);
});
