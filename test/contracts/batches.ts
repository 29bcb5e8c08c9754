// What every channel layer promises of batches: many messages sent, or taken, at once.

import type { ChannelLayer, Message, Received } from '../../channels/index.js';
import { cases, Random } from '../support/random.js';
import { turns } from '../support/until.js';
import {
  type Contract,
  type LayerContractOptions,
  numbered,
  range,
  receive,
  receiveMany,
  remaining,
  runContract,
  settableClock,
} from './run.js';

/** Runs the contract as one tap test called `name`. */
export function batchContract(name: string, options: LayerContractOptions): void {
  runContract(name, contract, options);
}

const contract: Contract = {
  async 'many messages sent at once come out in their order'(t, open) {
    const layer = await open({ capacity: 5000 });
    const outcomes = await layer.sendMany('many', range(3000).map(numbered));
    t.equal(outcomes.length, 3000);
    t.ok(outcomes.every((outcome) => outcome.accepted));
    t.same(numbersOf(await receiveMany(layer, 'many', 3000)), range(3000));
  },

  async 'batches and single sends keep their order among each other'(t, open) {
    const layer = await open({ capacity: 1000 });
    const sends = [
      layer.send('mixed', numbered(0)),
      layer.sendMany('mixed', [numbered(1), numbered(2)]),
      layer.send('mixed', numbered(3)),
      layer.sendMany('mixed', [numbered(4)]),
      layer.send('mixed', numbered(5)),
    ];
    await Promise.all(sends);
    await layer.sendMany('mixed', [numbered(6), numbered(7)]);
    t.same(numbersOf(await receiveMany(layer, 'mixed', 8)), range(8));
  },

  async 'of a batch that is too large the first are accepted, and each of the others is reported as refused'(
    t,
    open,
  ) {
    const layer = await open({ capacity: 3 });
    await layer.send('full', numbered(0));
    const outcomes = await layer.sendMany('full', [1, 2, 3, 4].map(numbered));
    t.match(outcomes, [
      { accepted: true },
      { accepted: true },
      { accepted: false, error: { code: 'CHANNELS_ERR_CHANNEL_FULL', channel: 'full', capacity: 3 } },
      { accepted: false, error: { code: 'CHANNELS_ERR_CHANNEL_FULL' } },
    ]);
    t.match(await layer.sendMany('full', [numbered(9)]), [{ accepted: false }]);
    t.same(numbersOf(await receiveMany(layer, 'full', 3)), [0, 1, 2]);
    t.same(await remaining(layer, 'full'), []);
  },

  async 'capacity is exact when many send batches at once'(t, open) {
    const layers = [await open({ capacity: 50 }), await open({ capacity: 50 })];
    const outcomes = await Promise.all(
      range(10).map((i) => layers[i % 2]?.sendMany('crowded', range(9).map(numbered)) ?? []),
    );
    t.equal(outcomes.flat().filter((outcome) => outcome.accepted).length, 50);
    t.equal((await layers[0]?.receiveMany('crowded', { max: 100 }))?.length, 50);
  },

  async 'what is no message is refused, and the others of the batch are sent'(t, open) {
    const layer = await open();
    const odd = [numbered(0), null, { type: 'test', value: new Date() }, numbered(1)] as Message[];
    const invalid = { accepted: false, error: { code: 'CHANNELS_ERR_INVALID_MESSAGE' } };
    t.match(await layer.sendMany('odd', odd), [{ accepted: true }, invalid, invalid, { accepted: true }]);
    t.same(numbersOf(await receiveMany(layer, 'odd', 2)), [0, 1]);
  },

  async 'an empty batch is no batch'(t, open) {
    const layer = await open();
    t.same(await layer.sendMany('empty', []), []);
    t.same(await layer.receiveMany('empty', { waitMs: 0 }), []);
  },

  async 'what the caller changes afterwards is not sent'(t, open) {
    const layer = await open();
    const message = { type: 'test', list: [1] };
    const sent = layer.sendMany('changed', [message, message]);
    message.list.push(2);
    await sent;
    const [first, second] = await receiveMany(layer, 'changed', 2);
    t.same(first?.list, [1]);
    t.same(second?.list, [1]);
    t.not(first?.list, second?.list);
  },

  async 'an expired message takes no room of a batch, and is not delivered in one'(t, open) {
    const time = settableClock();
    const layer = await open({ capacity: 3, expiry: 10, now: time.now });
    await layer.sendMany('old', [0, 1, 2].map(numbered));
    time.advance(12_000);
    t.same(await layer.receiveMany('old', { waitMs: 0 }), []);
    await layer.sendMany('old', [3, 4].map(numbered));
    time.advance(12_000);
    t.ok((await layer.sendMany('old', [5, 6, 7].map(numbered))).every((outcome) => outcome.accepted));
    t.same(numbersOf(await layer.receiveMany('old')), [5, 6, 7]);
  },

  async 'a batch is what is there, at most so many'(t, open) {
    const layer = await open({ capacity: 1000 });
    await layer.sendMany('part', range(25).map(numbered));
    t.same(numbersOf(await layer.receiveMany('part', { max: 10 })), range(10));
    t.match(await receive(layer, 'part'), { n: 10 });
    t.same(numbersOf(await layer.receiveMany('part', { max: 100 })), range(25).slice(11));
  },

  async 'who asks for a batch waits for the first message'(t, open) {
    const [a, b] = [await open(), await open()];
    for (let n = 0; n < 10; n++) {
      const waiting = a.receiveMany('first');
      await turns(n % 4);
      await b.send('first', numbered(n));
      t.match(await waiting, [{ n }]);
    }
  },

  async 'who waits only so long gets an empty batch, and loses nothing'(t, open) {
    const layer = await open();
    t.same(await layer.receiveMany('patience', { waitMs: 5 }), []);
    t.same(await layer.receiveMany('patience', { waitMs: 0 }), []);
    await layer.send('patience', numbered(1));
    t.same(numbersOf(await layer.receiveMany('patience', { waitMs: 0 })), [1], 'what is there comes at once');
    const waiting = layer.receiveMany('patience', { waitMs: 10_000 });
    await turns(3);
    await layer.send('patience', numbered(2));
    t.same(numbersOf(await waiting), [2]);
  },

  async 'batches of a specific channel are its own'(t, open) {
    const [a, b] = [await open({ capacity: 1000 }), await open({ capacity: 1000 })];
    const [one, two] = [await a.newChannel(), await a.newChannel()];
    const sends = range(20).map((n) => b.sendMany(n % 2 === 0 ? one : two, [numbered(n), numbered(n + 100)]));
    await Promise.all(sends);
    const expected = (first: number) =>
      range(20)
        .filter((n) => n % 2 === first)
        .flatMap((n) => [n, n + 100]);
    t.same(numbersOf(await receiveMany(a, one, 20)), expected(0));
    t.same(numbersOf(await receiveMany(a, two, 20)), expected(1));
    t.same(await a.receiveMany(one, { waitMs: 0 }), []);
  },

  async 'receivers of batches and of single messages share what there is'(t, open) {
    const layers = [await open({ capacity: 2000 }), await open({ capacity: 2000 })];
    const received: unknown[] = [];
    const done = new AbortController();
    const total = 1000;
    const note = (numbers: readonly unknown[]) => {
      received.push(...numbers);
      if (received.length === total) done.abort();
    };
    const receivers = range(4).map(async (i) => {
      const layer = layers[i % 2] ?? layers[0];
      if (layer === undefined) return;
      const { signal } = done;
      for (;;) {
        if (i < 2) note(numbersOf(await layer.receiveMany('shared', { max: 7, signal })));
        else note([(await layer.receive('shared', { signal })).n]);
      }
    });
    const outcome = Promise.allSettled(receivers);
    for (let n = 0; n < total; n += 20)
      await layers[0]?.sendMany(
        'shared',
        range(20).map((i) => numbered(n + i)),
      );
    await outcome;
    t.same(
      received.sort((x, y) => Number(x) - Number(y)),
      range(total),
    );
  },

  async 'a receiver that asks one by one has no more than it asked for when it turns to something else'(
    t,
    open,
  ) {
    const [a, b] = [await open({ capacity: 1000 }), await open({ capacity: 1000 })];
    await a.sendMany('greedy', range(400).map(numbered));
    const received: unknown[] = [];
    for (const count of [1, 2, 5, 20, 60]) {
      for (let i = 0; i < count; i++) received.push((await receiveNow(a, 'greedy')).n);
      await turns(2);
      received.push(...numbersOf(await receiveMany(b, 'greedy', 10)));
    }
    received.push(...numbersOf(await receiveMany(b, 'greedy', 400 - received.length)));
    t.same(
      received.sort((x, y) => Number(x) - Number(y)),
      range(400),
    );
  },

  async 'closing at once takes nothing that was not asked for'(t, open) {
    const [a, b] = [await open({ capacity: 1000 }), await open({ capacity: 1000 })];
    await a.sendMany('closed', range(300).map(numbered));
    const received: unknown[] = [];
    for (let i = 0; i < 100; i++) received.push((await receiveNow(a, 'closed')).n);
    await a.close();
    received.push(...numbersOf(await receiveMany(b, 'closed', 300 - received.length)));
    t.same(received, range(300));
  },

  async 'receives that are called off at random moments lose nothing, double nothing and keep the order'(
    t,
    open,
  ) {
    const { seed } = new Random();
    t.comment(`SEED=${seed}`);
    const [a, b] = [await open({ capacity: 5000 }), await open({ capacity: 5000 })];
    const asks = cases(300);
    const channels = ['race.1', 'race.2', 'race.3', 'race.4', await a.newChannel()];
    await Promise.all(
      channels.map(async (channel, i) => {
        const received: unknown[] = [];
        const random = new Random(seed + i);
        const ends = { receiver: a, sender: b, channel };
        let sent = 0;
        for (let ask = 0; ask < asks; ask++) {
          const { count, numbers } = await callOff(ends, random, sent);
          sent += count;
          received.push(...numbers);
        }
        t.comment(`${asks} receives, ${sent} messages, ${received.length} came before the end`);
        received.push(...numbersOf(await receiveMany(a, channel, sent - received.length)));
        t.same(received, range(sent));
        t.same(await remaining(a, channel), []);
      }),
    );
  },

  async 'what makes no sense is refused'(t, open) {
    const layer = await open();
    const invalid = { code: 'CHANNELS_ERR_INVALID_OPTION' };
    for (const max of [0, -1, 1.5, Number.NaN])
      await t.rejects(layer.receiveMany('options', { max }), { ...invalid, option: 'max' });
    for (const waitMs of [-1, Number.NaN, Number.POSITIVE_INFINITY])
      await t.rejects(layer.receiveMany('options', { waitMs }), { ...invalid, option: 'waitMs' });
    const name = { code: 'CHANNELS_ERR_INVALID_NAME' };
    await t.rejects(layer.sendMany('a b', [numbered(1)]), name);
    await t.rejects(layer.receiveMany('a b'), name);
    const reason = new Error('enough');
    await t.rejects(layer.sendMany('a', [numbered(1)], { signal: AbortSignal.abort(reason) }), reason);
    await t.rejects(layer.receiveMany('a', { signal: AbortSignal.abort(reason) }), reason);
    await t.rejects(layer.receiveMany('a', { signal: AbortSignal.abort(reason), waitMs: 5 }), reason);
    t.same(await remaining(layer, 'a'), []);
  },

  async 'a closed layer takes and gives no batches'(t, open) {
    const layer = await open();
    const closed = { code: 'CHANNELS_ERR_LAYER_CLOSED' };
    const waits = [
      t.rejects(layer.receiveMany('closing'), closed),
      t.rejects(layer.receiveMany('closing', { waitMs: 60_000 }), closed),
    ];
    await turns(3);
    await layer.close();
    await Promise.all(waits);
    await t.rejects(layer.sendMany('closing', [numbered(1)]), closed);
    await t.rejects(layer.receiveMany('closing'), closed);
  },
};

/** What it claims, for docs/explanation/channels.md. */
export const batchClaims: readonly string[] = Object.keys(contract);

/**
 * Receives, and calls that off while up to three messages with the numbers from `first` on are sent. Returns how many
 * were sent, and the numbers that came all the same.
 */
async function callOff(
  {
    receiver,
    sender,
    channel,
  }: { readonly receiver: ChannelLayer; readonly sender: ChannelLayer; readonly channel: string },
  random: Random,
  first: number,
): Promise<{ readonly count: number; readonly numbers: readonly unknown[] }> {
  const calledOff = new AbortController();
  const { signal } = calledOff;
  const waiting = random.chance(0.5)
    ? receiver.receiveMany(channel, { max: random.whole(1, 5), signal })
    : receiver.receive(channel, { signal }).then((message) => [message]);
  const outcome = waiting.then(numbersOf, (error: unknown) => {
    if (!signal.aborted) throw error;
    return [];
  });
  if (random.chance(0.5)) await turns(random.whole(0, 3));
  const count = random.whole(0, 3);
  const sending = sender.sendMany(
    channel,
    range(count).map((k) => numbered(first + k)),
  );
  if (random.chance(0.3)) await sending;
  await turns(random.whole(0, 2));
  calledOff.abort();
  await sending;
  return { count, numbers: await outcome };
}

/** Without a timer, so that the next one can be asked for in the same turn of the event loop. */
function receiveNow(layer: ChannelLayer, channel: string): Promise<Received> {
  return layer.receive(channel);
}

function numbersOf(messages: readonly object[]): unknown[] {
  return messages.map((message) => ('n' in message ? message.n : undefined));
}
