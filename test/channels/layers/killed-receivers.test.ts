// Receivers that are killed at random moments under load: real processes, on the layers that several can share.

import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type ChannelLayer, openLayer } from '../../../channels/index.js';
import { testDirectory } from '../../support/directory.js';
import { eventually } from '../../support/programs.js';
import { Random } from '../../support/random.js';
import { numbersIn, Receiver, type ReceiverOptions } from '../../support/receiver.js';
import { RedisServer } from '../../support/redis.js';

// On a busy machine many processes one after the other take longer than a file of tests may take otherwise.
t.setTimeout(400_000);

const total = 600;
/** With receivers that take batches, and with workers. */
const kills = 3;
const workerKills = 4;
/** At a time. */
const receivers = 2;
/** Messages that each takes at once. */
const max = 20;
/** So much is sent ahead of what is handled, that there is work in every hand at every kill. */
const ahead = 100;

t.test('SQLite', async (t) => {
  const url = `sqlite:${join(testDirectory(t), 'channels.db')}`;
  await killing(t, { url });
});

t.test('Redis', async (t) => {
  const server = await RedisServer.start(t);
  await killing(t, { url: server.url });
});

t.test('Redis, which is itself restarted under load', async (t) => {
  const server = await RedisServer.start(t, { persistent: true });
  await withLeases(t, { url: server.url, disturb: () => server.restart() });
});

interface Setting {
  readonly url: string;
  /** Something else that happens between two kills. */
  readonly disturb?: () => Promise<void>;
}

async function killing(t: Test, setting: Setting): Promise<void> {
  await t.test('with leases nothing is lost', (t) => withLeases(t, setting));
  await t.test('without, at most what was in their hands', (t) => withoutLeases(t, setting, kills, max));
  await t.test('of a worker without leases, at most the message in hand', (t) =>
    withoutLeases(t, setting, workerKills),
  );
}

async function withLeases(t: Test, setting: Setting): Promise<void> {
  const work = { channel: 'leased', max, lease: 400 };
  const { notes } = await run(t, setting, work, kills, (found) => found.size === total);
  const handled = numbersIn(notes);
  t.equal(new Set(handled).size, total, 'each message was handled');
  t.comment(`${handled.length - total} of ${total} were handled more than once`);
}

/** @param max messages that a receiver takes at once; undefined for workers */
async function withoutLeases(t: Test, setting: Setting, kills: number, max?: number): Promise<void> {
  const inHand = max ?? 1;
  const most = kills * inHand;
  const isOver = (found: ReadonlySet<number>) => found.size >= total - most;
  const work = max === undefined ? { channel: 'served' } : { channel: 'plain', max };
  const { notes, left } = await run(t, setting, work, kills, isOver);
  const handled = [...numbersIn(notes), ...left];
  const lost = total - new Set(handled).size;
  t.equal(handled.length, new Set(handled).size, 'none was handled twice');
  t.ok(lost <= most, `${lost} lost`);
  t.comment(`${lost} of ${total} were lost with ${kills} receivers that had up to ${inHand} in hand`);
}

/**
 * Sends all messages while receivers are killed one after the other, each at a random state of the work. Returns the
 * file of those that were handled, and without leases the numbers of those that were still there.
 */
async function run(
  t: Test,
  { url, disturb }: Setting,
  work: Pick<ReceiverOptions, 'channel' | 'max' | 'lease'>,
  kills: number,
  isOver: (found: ReadonlySet<number>) => boolean,
): Promise<{ readonly notes: string; readonly left: readonly number[] }> {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const notes = join(testDirectory(t), 'notes');
  const options: ReceiverOptions = { url, notes, ...work };
  const all = await Promise.all(Array.from({ length: receivers + kills }, () => Receiver.start(options)));
  t.teardown(() => Promise.all(all.map((receiver) => receiver.kill())));
  const running = all.slice(0, receivers);
  const spare = all.slice(receivers);
  for (const receiver of running) receiver.begin();
  const layer = await openLayer(url, { capacity: 100_000, expiry: 600 });
  t.teardown(() => layer.close());
  const moments = Array.from({ length: kills }, () => random.whole(1, total - ahead)).sort((a, b) => a - b);
  const sent = sendAll(layer, work.channel, () => numbersIn(notes).length + ahead);
  for (const moment of moments) {
    await eventually(`${moment} are handled`, () => numbersIn(notes).length >= moment);
    const [victim] = running.splice(random.whole(0, receivers - 1), 1);
    await victim?.kill();
    const next = spare.splice(0, 1);
    for (const receiver of next) receiver.begin();
    running.push(...next);
    if (disturb !== undefined && random.chance(0.5)) await disturb();
  }
  await sent;
  await eventually('all is handled', () => isOver(new Set(numbersIn(notes))));
  await Promise.all(running.map((receiver) => receiver.end()));
  const left = work.lease === undefined ? await takeAll(layer, work.channel) : [];
  return { notes, left };
}

/** The numbers of what is there and nobody took. */
async function takeAll(layer: ChannelLayer, channel: string): Promise<number[]> {
  const numbers: number[] = [];
  for (;;) {
    const batch = await layer.receiveMany(channel, { waitMs: 0 });
    if (batch.length === 0) return numbers;
    numbers.push(...batch.map(({ n }) => Number(n)));
  }
}

/** Sends in batches, never further than `limit` says, so that there is work to be killed in until the end. */
async function sendAll(layer: ChannelLayer, channel: string, limit: () => number): Promise<void> {
  for (let n = 0; n < total; ) {
    await eventually('there is room', () => n < limit());
    const batch = Array.from({ length: Math.min(50, total - n) }, (_, i) => ({ type: 'test', n: n + i }));
    if (await isSent(layer, channel, batch)) n += batch.length;
  }
}

/** False when the server was away: then it is sent again, and may arrive twice. */
async function isSent(layer: ChannelLayer, channel: string, batch: Array<{ type: string; n: number }>) {
  try {
    const outcomes = await layer.sendMany(channel, batch);
    return outcomes.every((outcome) => outcome.accepted);
  } catch (error) {
    if ((error as { code?: string }).code === 'CHANNELS_ERR_LAYER_UNAVAILABLE') return false;
    throw error;
  }
}
