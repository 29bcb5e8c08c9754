// What a channel layer promises that has leases: messages that are acknowledged, or come again.

import type { ChannelLayer, DroppedMessage, Leased } from '../../channels/index.js';
import { turns, until } from '../support/until.js';
import {
  type Contract,
  type LayerContractOptions,
  numbered,
  patienceMs,
  range,
  receive,
  remaining,
  runContract,
} from './run.js';

/** Runs the contract as one tap test called `name`. */
export function leaseContract(name: string, options: LayerContractOptions): void {
  runContract(name, contract, options);
}

/** Over soon, for what is to come again. */
const shortMs = 40;
/** Not over before the test is. */
const longMs = 60_000;
/** Clocks that tick in milliseconds make two readings differ by so much less than went by. */
const tickMs = 2;

const contract: Contract = {
  async 'the layer says that it has leases'(t, open) {
    t.ok((await open()).extensions.has('lease'));
  },

  async 'a message that is acknowledged does not come again'(t, open) {
    const layer = await open();
    await layer.send('acked', numbered(1));
    let leased = await lease(layer, 'acked', shortMs);
    t.match(leased, { channel: 'acked', message: numbered(1), deliveries: 1 });
    // On a busy machine it may be over before that.
    while (!(await leased.ack())) leased = await lease(layer, 'acked', shortMs);
    t.equal(await leased.ack(), false, 'once is enough');
    t.equal(await leased.release(), false);
    t.equal(await leased.extend(longMs), false);
    t.same(await layer.receiveMany('acked', { lease: shortMs, waitMs: 3 * shortMs }), []);
  },

  async 'a message that is not acknowledged comes again when its lease is over, never sooner'(t, open) {
    const [a, b] = [await open(), await open()];
    await a.send('again', numbered(1));
    for (let deliveries = 1; deliveries <= 4; deliveries++) {
      const from = performance.now();
      const leased = await lease(a, 'again', shortMs);
      t.match(leased, { message: numbered(1), deliveries });
      const next = await lease(b, 'again', 1);
      t.match(next, { message: numbered(1), deliveries: deliveries + 1 });
      const elapsedMs = performance.now() - from;
      t.ok(elapsedMs >= shortMs - tickMs, `after ${elapsedMs} ms`);
      t.equal(await next.release({ untried: true }), true);
    }
  },

  async 'a late acknowledgement is reported as late'(t, open) {
    const [a, b] = [await open(), await open()];
    await a.send('late', numbered(1));
    const first = await lease(a, 'late', 1);
    const second = await lease(b, 'late', longMs);
    t.equal(await first.extend(longMs), false);
    t.equal(await first.ack(), false);
    t.equal(await first.release(), false);
    t.equal(await second.ack(), true, 'the one who has it now is not disturbed');
    t.same(await remaining(a, 'late'), []);
  },

  async 'an acknowledgement after the end says whether it still counted'(t, open) {
    const layer = await open();
    await layer.send('after', numbered(1));
    const leased = await lease(layer, 'after', 1);
    await passed(10);
    const counted = await leased.ack();
    const again = await layer.receiveMany('after', { lease: longMs, waitMs: shortMs });
    t.equal(again.length, counted ? 0 : 1);
  },

  async 'an extended lease ends later, or sooner'(t, open) {
    const layer = await open();
    await layer.send('extended', numbered(1));
    let first = await lease(layer, 'extended', shortMs);
    while (!(await first.extend(longMs))) first = await lease(layer, 'extended', shortMs);
    t.same(await layer.receiveMany('extended', { lease: longMs, waitMs: 3 * shortMs }), []);
    const waiting = lease(layer, 'extended', longMs);
    await turns(3);
    t.equal(await first.extend(1), true);
    t.match(await waiting, { deliveries: first.deliveries + 1 });
  },

  async 'a message that is given back comes at once, before others'(t, open) {
    const [a, b] = [await open(), await open()];
    for (let n = 0; n < 4; n++) await a.send('back', numbered(n));
    const [first, second] = await leaseMany(a, 'back', 2, longMs);
    t.equal(await first?.release(), true);
    t.equal(await first?.ack(), false, 'and is not ours any more');
    t.match(await lease(b, 'back', longMs), { message: { n: 0 }, deliveries: 2 });
    t.equal(await second?.release({ untried: true }), true);
    t.match(await lease(b, 'back', longMs), { message: { n: 1 }, deliveries: 1 }, 'untried does not count');
    t.match(await lease(b, 'back', longMs), { message: { n: 2 }, deliveries: 1 });
  },

  async 'what is given back together comes in its order'(t, open) {
    const layer = await open();
    await layer.sendMany('together', range(5).map(numbered));
    const batch = await leaseMany(layer, 'together', 4, longMs);
    await Promise.all(batch.slice(1).map((leased) => leased.release({ untried: true })));
    const again = await leaseMany(layer, 'together', 4, longMs);
    t.same(
      again.map(({ message, deliveries }) => [message.n, deliveries]),
      [1, 2, 3, 4].map((n) => [n, 1]),
    );
  },

  async 'who waits is woken by what another gives back'(t, open) {
    const [a, b] = [await open(), await open()];
    await a.send('woken', numbered(1));
    let holder = await lease(a, 'woken', longMs);
    for (let i = 0; i < 10; i++) {
      const waiting = lease(i % 2 === 0 ? b : a, 'woken', longMs);
      await turns(i % 4);
      t.equal(await holder.release({ untried: true }), true);
      holder = await waiting;
      t.match(holder, { message: { n: 1 }, deliveries: 1 });
    }
  },

  async 'what comes again comes in its order, before what waits'(t, open) {
    const layer = await open();
    for (let n = 0; n < 10; n++) await layer.send('order', numbered(n));
    const leased = [
      ...(await leaseMany(layer, 'order', 3, longMs)),
      ...(await leaseMany(layer, 'order', 2, longMs)),
    ];
    await endSoon(leased);
    const batch = await leaseMany(layer, 'order', 10, longMs);
    t.same(
      batch.map(({ message }) => message.n),
      range(10),
    );
    t.same(
      batch.map(({ deliveries }) => deliveries),
      [2, 2, 2, 2, 2, 1, 1, 1, 1, 1],
    );
  },

  async 'each message of a batch is acknowledged by itself'(t, open) {
    const layer = await open();
    await layer.sendMany('batch', range(6).map(numbered));
    const batch = await leaseMany(layer, 'batch', 6, longMs);
    const acks = await Promise.all(batch.filter((_, n) => n % 2 === 0).map((leased) => leased.ack()));
    t.same(acks, [true, true, true]);
    await endSoon(batch.filter((_, n) => n % 2 === 1));
    const again = await leaseMany(layer, 'batch', 3, longMs);
    t.same(
      again.map(({ message }) => message.n),
      [1, 3, 5],
    );
  },

  async 'a receiver without a lease gets what comes again, too'(t, open) {
    const [a, b] = [await open(), await open()];
    await a.send('plain', numbered(1));
    await lease(a, 'plain', shortMs);
    t.match(await receive(b, 'plain'), numbered(1));
    await a.send('plain', numbered(2));
    const leased = await lease(a, 'plain', longMs);
    const waiting = receive(b, 'plain');
    await turns(3);
    await leased.release();
    t.match(await waiting, numbered(2));
  },

  async 'a lease that lasts longer than the expiry loses nothing'(t, open) {
    const layer = await open({ expiry: 1 });
    await layer.send('old', numbered(1));
    await lease(layer, 'old', 1200);
    t.match(await lease(layer, 'old', longMs), { message: numbered(1), deliveries: 2 });
  },

  async 'what is on lease takes no room'(t, open) {
    const layer = await open({ capacity: 2 });
    await layer.sendMany('room', range(2).map(numbered));
    const batch = await leaseMany(layer, 'room', 2, longMs);
    await layer.sendMany('room', [2, 3].map(numbered));
    await t.rejects(layer.send('room', numbered(4)), { code: 'CHANNELS_ERR_CHANNEL_FULL' });
    for (const leased of batch) t.equal(await leased.release(), true, 'what is given back finds its place');
  },

  async 'a message that was handed out too often goes to the dead letters, and is reported'(t, open) {
    const dropped: DroppedMessage[] = [];
    const layer = await open({ maxDeliveries: 3, onDrop: (drop) => dropped.push(drop) });
    await layer.send('poison', { type: 'test.poison', bytes: Uint8Array.of(1, 2, 3) });
    await layer.send('poison', numbered(1));
    for (let deliveries = 1; deliveries <= 3; deliveries++) {
      const leased = await lease(layer, 'poison', longMs);
      t.match(leased, { message: { type: 'test.poison' }, deliveries });
      await leased.release();
    }
    t.match(await lease(layer, 'poison', longMs), { message: { n: 1 } });
    const letter = await receive(layer, 'poison.dead');
    t.match(letter, {
      type: 'dead.letter',
      channel: 'poison',
      deliveries: 3,
      reason: 'handed out 3 times and never acknowledged',
      message: { type: 'test.poison' },
    });
    t.same([...((letter.message as { bytes: Uint8Array }).bytes ?? [])], [1, 2, 3]);
    t.match(dropped, [{ channel: 'poison', reason: 'dead' }]);
    t.equal(dropped.length, 1);
  },

  async 'who waits for dead letters is woken by one'(t, open) {
    const layer = await open({ maxDeliveries: 1 });
    const waiting = receive(layer, 'killed.dead');
    await layer.send('killed', numbered(1));
    await lease(layer, 'killed', 1);
    const idle = new AbortController();
    const next = layer.receive('killed', { lease: 1, signal: idle.signal });
    t.match(await waiting, { type: 'dead.letter', channel: 'killed', deliveries: 1, message: { n: 1 } });
    idle.abort();
    await t.rejects(next);
  },

  async 'dead letters are kept when messages expire, and the oldest goes when there are too many'(t, open) {
    const dropped: DroppedMessage[] = [];
    const layer = await open({
      maxDeliveries: 1,
      // Long enough for a busy machine to do what comes before the wait.
      expiry: 3,
      channelCapacity: { '*.dead': 2 },
      onDrop: (drop) => dropped.push(drop),
    });
    for (let n = 0; n < 3; n++) await layer.send('many', numbered(n));
    for (const leased of await leaseMany(layer, 'many', 3, longMs)) await leased.release();
    await layer.send('many', numbered(3));
    t.match(await lease(layer, 'many', longMs), { message: { n: 3 } });
    await passed(3100);
    t.match(await receive(layer, 'many.dead'), { message: { n: 1 } });
    t.match(await receive(layer, 'many.dead'), { message: { n: 2 } });
    t.match(
      dropped.filter(({ reason }) => reason === 'overflow'),
      [{ channel: 'many.dead' }],
    );
    t.equal(dropped.filter(({ reason }) => reason === 'dead').length, 3);
  },

  async 'dead letters themselves can be leased any number of times'(t, open) {
    const layer = await open({ maxDeliveries: 1 });
    await layer.send('x.dead', numbered(1));
    for (let deliveries = 1; deliveries <= 5; deliveries++) {
      const leased = await lease(layer, 'x.dead', longMs);
      t.equal(leased.deliveries, deliveries);
      await leased.release();
    }
  },

  async 'dead letters are listed with what they were and when they died, and stay'(t, open) {
    const [layer, watcher] = [await open({ maxDeliveries: 2 }), await open()];
    await kill(layer, 'listed', [0, 1, 2], 2);
    await kill(layer, 'other', [3], 2);
    t.same(await watcher.deadLetters('nothing'), []);
    const [first, ...others] = await watcher.deadLetters('listed');
    const reason = 'handed out 2 times and never acknowledged';
    t.match(first, { channel: 'listed', message: numbered(0), deliveries: 2, reason });
    t.ok(Math.abs(Number(first?.diedAt) - Date.now()) < 60_000);
    t.match(others, [{ message: numbered(1) }, { message: numbered(2) }]);
    const all = await watcher.deadLetters();
    t.equal(new Set(all.map(({ channel, id }) => `${channel} ${id}`)).size, 4, 'each has an id');
    t.same(await watcher.deadLetters(undefined, { max: 2 }), all.slice(0, 2));
    t.same(await watcher.deadLetters(), all, 'looking takes nothing');
    await layer.send('listed.dead', { type: 'no.letter' });
    t.equal((await watcher.deadLetters('listed')).length, 3, 'what is no dead letter is passed over');
  },

  async 'a dead letter that is redriven is a message as if it had just been sent'(t, open) {
    const [layer, other] = [await open({ maxDeliveries: 2 }), await open({ maxDeliveries: 2 })];
    await kill(layer, 'redriven', [0, 1, 2], 2);
    const [, second] = await other.deadLetters('redriven');
    const waiting = lease(layer, 'redriven', longMs);
    await turns(3);
    t.equal(await other.redrive('redriven', [second?.id ?? '', 'no-such-id']), 1);
    const leased = await waiting;
    t.match(leased, { message: numbered(1), deliveries: 1 });
    t.equal(await leased.ack(), true);
    t.match(await other.deadLetters('redriven'), [{ message: numbered(0) }, { message: numbered(2) }]);
    t.equal(await other.redrive('redriven', [second?.id ?? '']), 0, 'it is one no more');
    t.equal(await other.redrive('redriven'), 2);
    t.same(await other.deadLetters(), []);
    const batch = await leaseMany(layer, 'redriven', 2, longMs);
    t.match(batch, [
      { message: numbered(0), deliveries: 1 },
      { message: numbered(2), deliveries: 1 },
    ]);
    t.equal(await other.redrive('redriven'), 0);
  },

  async 'redriving stops at a full channel, and what did not fit in stays dead'(t, open) {
    const layer = await open({ maxDeliveries: 1, channelCapacity: { narrow: 2 } });
    await kill(layer, 'narrow', [0, 1], 1);
    await layer.send('narrow', numbered(2));
    t.equal(await layer.redrive('narrow'), 1);
    t.match(await layer.deadLetters('narrow'), [{ message: numbered(1) }]);
    t.match(await receive(layer, 'narrow'), numbered(2));
    t.match(await receive(layer, 'narrow'), numbered(0));
  },

  async 'a called-off wait for a lease takes nothing'(t, open) {
    const [a, b] = [await open(), await open()];
    for (let n = 0; n < 60; n++) {
      const calledOff = new AbortController();
      const waiting = a.receiveMany('race', { lease: longMs, signal: calledOff.signal });
      const outcome = waiting.then(
        (batch) => batch,
        () => [],
      );
      await turns(n % 4);
      const sent = b.send('race', numbered(n));
      if (n % 3 === 0) await sent;
      await turns(n % 5);
      calledOff.abort();
      await sent;
      const [leased = await lease(b, 'race', longMs)] = await outcome;
      t.match(leased, { message: { n }, deliveries: 1 }, `message ${n}`);
      t.equal(await leased.ack(), true);
    }
  },

  async 'flush forgets leases'(t, open) {
    const layer = await open();
    await layer.send('flushed', numbered(1));
    const leased = await lease(layer, 'flushed', shortMs);
    await layer.flush();
    t.equal(await leased.ack(), false);
    t.same(await layer.receiveMany('flushed', { lease: shortMs, waitMs: 2 * shortMs }), []);
  },

  async 'what a closed layer had on lease comes again to another'(t, open) {
    const [a, b] = [await open(), await open()];
    await a.send('left', numbered(1));
    const leased = await lease(a, 'left', shortMs);
    const waiting = lease(b, 'left', longMs);
    await a.close();
    const closed = { code: 'CHANNELS_ERR_LAYER_CLOSED' };
    await t.rejects(leased.ack(), closed);
    await t.rejects(leased.extend(longMs), closed);
    await t.rejects(leased.release(), closed);
    await t.rejects(a.receive('left', { lease: longMs }), closed);
    t.match(await waiting, { message: { n: 1 }, deliveries: 2 });
  },

  async 'every message is done with once, however receivers drop out'(t, open) {
    // On a busy machine leases of those who live are over, too.
    const options = { capacity: 1000, maxDeliveries: 1000 };
    const layers = [await open(options), await open(options)];
    const total = 300;
    const done = new Set<unknown>();
    let doubled = 0;
    const finished = new AbortController();
    const receivers = range(4).map(async (i) => {
      const layer = layers[i % 2] ?? layers[0];
      for (let round = 0; layer !== undefined; round++) {
        const wanted = { lease: 150, max: 5, waitMs: 500, signal: finished.signal };
        for (const leased of await layer.receiveMany('drop-out', wanted)) {
          // As a receiver that died with a part of what it had.
          if ((round + i) % 5 === 0 && leased.deliveries < 3) continue;
          const isMine = await leased.ack();
          if (isMine && done.has(leased.message.n)) doubled++;
          if (isMine) done.add(leased.message.n);
        }
        if (done.size === total) finished.abort();
      }
    });
    const ended = Promise.allSettled(receivers);
    await layers[0]?.sendMany('drop-out', range(total).map(numbered));
    await until('all are done', () => done.size === total);
    finished.abort();
    await ended;
    t.equal(doubled, 0);
  },

  async 'what cannot be leased is refused'(t, open) {
    const layer = await open();
    const invalid = { code: 'CHANNELS_ERR_INVALID_OPTION', option: 'lease' };
    for (const lease of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])
      await t.rejects(layer.receive('never', { lease }), invalid);
    await t.rejects(layer.receive(await layer.newChannel(), { lease: 100 }), invalid);
    const name = { code: 'CHANNELS_ERR_INVALID_NAME', message: /at most 94 characters/ };
    await t.rejects(layer.receive('x'.repeat(95), { lease: 100 }), name);
    await layer.send('never', numbered(1));
    const leased = await lease(layer, 'never', longMs);
    await t.rejects(leased.extend(0), { code: 'CHANNELS_ERR_INVALID_OPTION', option: 'leaseMs' });
  },
};

/** What it claims, for docs/explanation/channels.md. */
export const leaseClaims: readonly string[] = Object.keys(contract);

/** Makes dead letters of messages with these numbers. */
async function kill(
  layer: ChannelLayer,
  channel: string,
  numbers: readonly number[],
  deliveries: number,
): Promise<void> {
  for (const n of numbers) await layer.send(channel, numbered(n));
  for (let i = 0; i < deliveries; i++)
    for (const leased of await leaseMany(layer, channel, numbers.length, longMs)) await leased.release();
  await until('they are dead', async () => {
    await layer.receiveMany(channel, { lease: longMs, waitMs: 0 });
    return (await layer.deadLetters(channel)).length === numbers.length;
  });
}

/** Waits until leases or messages of so many ms are over: nothing but the clock shows that. */
async function passed(ms: number): Promise<void> {
  const endsAt = Date.now() + ms;
  await until('their time is over', () => Date.now() > endsAt);
}

/** Has leases end, each as soon as it can, and waits until they have. */
async function endSoon(batch: readonly Leased[]): Promise<void> {
  for (const leased of batch) await leased.extend(1);
  await passed(shortMs);
}

/** Takes one message on lease, or fails the test when there is none. */
async function lease(layer: ChannelLayer, channel: string, leaseMs: number): Promise<Leased> {
  const [leased] = await layer.receiveMany(channel, { lease: leaseMs, max: 1, waitMs: patienceMs });
  if (leased === undefined) throw new Error(`nothing arrived on ${channel}`);
  return leased;
}

async function leaseMany(
  layer: ChannelLayer,
  channel: string,
  count: number,
  leaseMs: number,
): Promise<Leased[]> {
  const batch: Leased[] = [];
  while (batch.length < count) {
    const options = { lease: leaseMs, max: count - batch.length, waitMs: patienceMs };
    const more = await layer.receiveMany(channel, options);
    if (more.length === 0) throw new Error(`only ${batch.length} of ${count} arrived on ${channel}`);
    batch.push(...more);
  }
  return batch;
}
