// What every channel layer with the extensions `stats` and `trace` promises to those who look at it.

import {
  type ChannelFigures,
  type ChannelLayer,
  Consumer,
  deadLetterChannel,
  type Message,
  Receipt,
  type Trace,
  Worker,
} from '../../channels/index.js';
import { until } from '../support/until.js';
import {
  type Contract,
  isAccepted,
  type LayerContractOptions,
  numbered,
  range,
  receive,
  receiveMany,
  runContract,
  settableClock,
} from './run.js';

/** Runs the contract as one tap test called `name`. */
export function xrayContract(name: string, options: LayerContractOptions): void {
  runContract(name, contract, options);
}

const contract: Contract = {
  async 'stats tell how full a channel is, how old its first message is, and what was counted'(t, open) {
    const clock = settableClock();
    const layer = await open({ capacity: 3, now: clock.now });
    for (const n of range(3)) await layer.send('mail', numbered(n));
    t.equal(await isAccepted(layer.send('mail', numbered(3))), false);
    t.match(await layer.sendMany('mail', [numbered(4), numbered(5)]), [
      { accepted: false },
      { accepted: false },
    ]);
    await receive(layer, 'mail');
    clock.advance(5000);
    const { oldestAgeMs, ...figures } = await figuresOf(layer, 'mail');
    t.match(figures, {
      depth: 2,
      capacity: 3,
      onLease: 0,
      sent: 3,
      received: 1,
      refused: 3,
      dropped: 0,
      redelivered: 0,
    });
    t.ok(oldestAgeMs !== undefined && oldestAgeMs >= 5000 && oldestAgeMs < 65_000, `is ${oldestAgeMs}`);
  },

  async 'what all processes count is added up, and stays when one of them ends'(t, open) {
    const [sender, receiver, watcher] = [await open(), await open(), await open()];
    await sender.sendMany('mail', range(10).map(numbered));
    await receiveMany(receiver, 'mail', 4);
    await untilFigures(watcher, 'mail', ({ sent, received }) => sent === 10 && received === 4);
    if (sender !== watcher) await sender.close();
    t.match(await figuresOf(watcher, 'mail'), { sent: 10, received: 4, depth: 6 });
  },

  async 'a process is listed while it is open, with what it waits for'(t, open) {
    const [layer, watcher] = [await open(), await open()];
    const over = new AbortController();
    const waiting = layer.receive('mail', { signal: over.signal });
    await until('the process is listed', async () => {
      const { processes } = await watcher.stats();
      return processes.some(({ pid, receives }) => pid === process.pid && receives.includes('mail'));
    });
    t.equal(
      (await figuresOf(watcher, 'mail')).receivers,
      1,
      'and the channel, though nothing was ever sent to it',
    );
    await layer.send('mail', numbered(1));
    await waiting;
    await untilFigures(watcher, 'mail', ({ receivers }) => receivers === 1);
    if (layer === watcher) return;
    await layer.close();
    t.same((await watcher.stats()).processes, []);
    t.equal((await figuresOf(watcher, 'mail')).receivers, 0);
  },

  async 'specific channels are counted by their kind, and the keys that hold messages are named'(t, open) {
    const layer = await open();
    const [one, other] = [await layer.newChannel(), await layer.newChannel()];
    for (const channel of [one, other, one]) await layer.send(channel, numbered(0));
    const key = one.slice(0, one.indexOf('!') + 1);
    t.match(await figuresOf(layer, 'specific.*!'), {
      depth: 3,
      sent: 3,
      received: 0,
      keys: [{ key, depth: 3 }],
    });
    await receive(layer, one);
    const { channels } = await layer.stats();
    t.same(
      channels.map(({ channel }) => channel),
      ['specific.*!'],
    );
  },

  async 'what is on lease, and what was handed out again, is told'(t, open) {
    const layer = await open();
    await layer.sendMany('mail', range(3).map(numbered));
    const [first] = await layer.receiveMany('mail', { lease: 60_000, max: 2 });
    t.match(await figuresOf(layer, 'mail'), { depth: 1, onLease: 2, redelivered: 0 });
    await first?.release();
    t.match(await figuresOf(layer, 'mail'), { depth: 2, onLease: 1, redelivered: 0 });
    await (await layer.receive('mail', { lease: 60_000 })).ack();
    t.match(await figuresOf(layer, 'mail'), { depth: 1, onLease: 1, received: 3, redelivered: 1 });
  },

  async 'peeking shows the next messages, by the ids of their receipts, and takes none'(t, open) {
    const [layer, watcher] = [await open(), await open()];
    const receipt = new Receipt();
    await layer.sendMany('mail', range(5).map(numbered), { receipt });
    const peeked = await watcher.peek('mail', { max: 3 });
    t.match(peeked, [
      { message: numbered(0), id: receipt.id(0), channels: ['mail'], deliveries: 0 },
      { message: numbered(1), id: receipt.id(1) },
      { message: numbered(2), id: receipt.id(2) },
    ]);
    t.equal(peeked.length, 3);
    t.ok(peeked.every(({ bytes, sentAt = 0 }) => bytes > 10 && Math.abs(Date.now() - sentAt) < 60_000));
    t.same(await watcher.peek('mail', { max: 3 }), peeked);
    t.same(await receiveMany(layer, 'mail', 5), range(5).map(numbered));
    t.same(await watcher.peek('mail'), []);
  },

  async 'peeking shows what comes again first, and what is on lease where asked'(t, open) {
    const layer = await open();
    await layer.sendMany('mail', range(3).map(numbered));
    const [first, second] = await layer.receiveMany('mail', { lease: 60_000, max: 2 });
    await second?.release();
    t.match(await layer.peek('mail'), [
      { message: numbered(1), id: second?.id, deliveries: 1 },
      { message: numbered(2), deliveries: 0 },
    ]);
    const [leased, ...others] = await layer.peek('mail', { onLease: true });
    t.match(leased, { message: numbered(0), id: first?.id, deliveries: 1 });
    const leftMs = Number(leased?.leaseEndsAt) - Date.now();
    t.ok(leftMs > 0 && leftMs < 61_000, `the lease ends in ${leftMs} ms`);
    t.same(others, []);
  },

  async 'peeking works on a specific channel and on the key of its process'(t, open) {
    const [layer, watcher] = [await open(), await open()];
    const [one, other] = [await layer.newChannel(), await layer.newChannel()];
    await layer.send(one, numbered(1));
    await layer.send(other, numbered(2));
    t.match(await watcher.peek(other), [{ message: numbered(2), channels: [other] }]);
    const key = one.slice(0, one.indexOf('!') + 1);
    const messages = (await watcher.peek(key)).map(({ message }) => message);
    t.same(messages, [numbered(1), numbered(2)]);
    t.same(await receive(layer, one), numbered(1));
  },

  async 'groups are told with their members, and when each was renewed'(t, open) {
    const clock = settableClock();
    const layer = await open({ now: clock.now, groupExpiry: 100 });
    await layer.groupAdd('room', 'one');
    await layer.groupAdd('other', 'two');
    clock.advance(60_000);
    await layer.groupAdd('room', 'two');
    const [other, room] = await layer.groups();
    t.match(other, { group: 'other', members: [{ channel: 'two' }] });
    t.match(room, { group: 'room', members: [{ channel: 'one' }, { channel: 'two' }] });
    const renewed = room?.members.map(({ renewedAt = 0 }) => clock.now() - renewedAt) ?? [];
    t.ok(Math.abs(Number(renewed[0]) - 60_000) <= 1 && Math.abs(Number(renewed[1])) <= 1, `${renewed}`);
    clock.advance(60_000);
    t.match(await layer.groups('room'), [{ group: 'room', members: [{ channel: 'two' }] }]);
    t.same(await layer.groups('other'), []);
    t.same(await layer.groups('none'), []);
  },

  async 'a trace follows a message from its sender to its handler'(t, open) {
    const [sender, receiver, watcher] = [await open(), await open(), await open()];
    const receipt = new Receipt();
    const messages = [{ type: 'mail.good' }, { type: 'mail.bad' }, { type: 'mail.unknown' }];
    await sender.sendMany('mail', messages, { receipt });
    await work(receiver, 3);
    if (sender !== watcher) await sender.close();
    const ends = ['handled', 'failed', 'dropped'];
    const traces = await Promise.all(ends.map((end, i) => untilTraced(watcher, receipt.id(i), end)));
    t.same(traces.map(eventsOf), [
      ['sent', 'received', 'started', 'handled'],
      ['sent', 'received', 'started', 'failed'],
      ['sent', 'received', 'started', 'dropped'],
    ]);
    for (const { events, silent, waiting } of traces) {
      t.ok(events.every(({ channel, process: { pid } }) => channel === 'mail' && pid === process.pid));
      t.ok(events.every(({ at }) => Math.abs(Date.now() - at) < 60_000));
      t.same([silent, waiting], [[], undefined]);
    }
  },

  async 'a trace of a message on lease tells that it came again, and where it is now'(t, open) {
    const layer = await open();
    const receipt = new Receipt();
    await layer.send('mail', numbered(7), { receipt });
    await (await layer.receive('mail', { lease: 60_000 })).release();
    const leased = await layer.receive('mail', { lease: 60_000 });
    t.equal(leased.id, receipt.id());
    await leased.release();
    const trace = await layer.trace(leased.id.toUpperCase());
    t.same(eventsOf(trace), ['sent', 'received', 'released', 'redelivered', 'released']);
    t.match(trace.waiting, { id: receipt.id(), message: numbered(7), deliveries: 2 });
    await (await layer.receive('mail', { lease: 60_000 })).ack();
    t.same(eventsOf(await layer.trace(leased.id)).slice(-2), ['redelivered', 'acknowledged']);
  },

  async 'a dead letter has the id of its message'(t, open) {
    const layer = await open({ maxDeliveries: 1 });
    const receipt = new Receipt();
    await layer.send('mail', numbered(1), { receipt });
    await (await layer.receive('mail', { lease: 60_000 })).release();
    t.same(await layer.receiveMany('mail', { lease: 60_000, waitMs: 0 }), []);
    const dead = deadLetterChannel('mail');
    await until('it is buried', async () => (await layer.peek(dead)).length === 1);
    t.match(await layer.peek(dead), [{ id: receipt.id(), message: { type: 'dead.letter' } }]);
    const trace = await layer.trace(receipt.id() ?? '');
    t.same(eventsOf(trace), ['sent', 'received', 'released', 'dead']);
    t.match(trace.waiting, { channels: [dead] });
    t.match(await figuresOf(layer, 'mail'), { dropped: 1 });
    t.match(await figuresOf(layer, dead), { sent: 1, depth: 1 });
  },

  async 'a receipt has an id for every message that was accepted, and for none that was refused'(t, open) {
    const layer = await open({ capacity: 2 });
    const sent = new Receipt();
    await layer.sendMany('mail', [numbered(0), null as unknown as Message, numbered(1), numbered(2)], {
      receipt: sent,
    });
    t.match(sent.ids, [/^[\da-f]{16}$/, undefined, /^[\da-f]{16}$/, undefined]);
    t.equal(new Set(sent.ids).size, 3);
    const received = new Receipt();
    await layer.receive('mail', { receipt: received });
    await layer.receiveMany('mail', { receipt: received });
    t.same(received.ids, [sent.id(0), sent.id(2)]);
  },

  async 'a group send has an event and a count for every channel'(t, open) {
    const layer = await open({ capacity: 1 });
    await layer.send('full', numbered(0));
    for (const channel of ['full', 'free']) await layer.groupAdd('room', channel);
    await layer.groupSend('room', numbered(1));
    t.match(await figuresOf(layer, 'full'), { sent: 1, refused: 1 });
    t.match(await figuresOf(layer, 'free'), { sent: 1, refused: 0 });
    const [peeked] = await layer.peek('free');
    t.same(eventsOf(await layer.trace(peeked?.id ?? '')), ['sent']);
  },

  async 'a layer with the option xray off counts nothing, and can look all the same'(t, open) {
    const layer = await open({ xray: false });
    await layer.send('mail', numbered(0));
    t.match(await layer.peek('mail'), [{ message: numbered(0) }]);
    t.match(await figuresOf(layer, 'mail'), { depth: 1, sent: 0 });
    t.same((await layer.stats()).processes, []);
    t.same(await receive(layer, 'mail'), numbered(0));
  },

  async 'nothing is left after flush'(t, open) {
    const layer = await open();
    await layer.send('mail', numbered(0));
    await layer.groupAdd('room', 'mail');
    await layer.stats();
    await layer.flush();
    t.same((await layer.stats()).channels, []);
    t.same(await layer.groups(), []);
    await layer.send('mail', numbered(1));
    t.match(await figuresOf(layer, 'mail'), { sent: 1, depth: 1 });
  },

  async 'what makes no sense is refused, and a trace can be called off'(t, open) {
    const layer = await open();
    await t.rejects(layer.peek('no name'), { code: 'CHANNELS_ERR_INVALID_NAME' });
    await t.rejects(layer.peek('mail', { max: 0 }), { code: 'CHANNELS_ERR_INVALID_OPTION', option: 'max' });
    await t.rejects(layer.groups('no!name'), { code: 'CHANNELS_ERR_INVALID_NAME' });
    await t.rejects(layer.trace('xyz'), { code: 'CHANNELS_ERR_INVALID_OPTION', option: 'id' });
    const reason = new Error('enough');
    await t.rejects(layer.trace('0123456789abcdef', { signal: AbortSignal.abort(reason) }), reason);
    t.match(await layer.trace('0123456789abcdef'), { id: '0123456789abcdef', events: [], silent: [] });
    await layer.close();
    for (const look of [() => layer.stats(), () => layer.peek('mail'), () => layer.groups()])
      await t.rejects(async () => look(), { code: 'CHANNELS_ERR_LAYER_CLOSED' });
  },
};

/** The titles of the tests. */
export const xrayClaims: readonly string[] = Object.keys(contract);

/** The figures of a channel; fails when there are none. */
async function figuresOf(layer: ChannelLayer, channel: string): Promise<ChannelFigures> {
  const { channels } = await layer.stats();
  const figures = channels.find((each) => each.channel === channel);
  if (figures === undefined) throw new Error(`no figures of ${channel}, only of ${names(channels)}`);
  return figures;
}

/** Traces a message until its last event is this one: a busy machine may tell it late. */
async function untilTraced(layer: ChannelLayer, id: string | undefined, last: string): Promise<Trace> {
  let trace = await layer.trace(id ?? '');
  await until(`the last event is ${last}`, async () => {
    if (trace.events[0]?.event === 'sent' && trace.events.at(-1)?.event === last) return true;
    trace = await layer.trace(id ?? '');
    return false;
  });
  return trace;
}

async function untilFigures(
  layer: ChannelLayer,
  channel: string,
  condition: (figures: ChannelFigures) => boolean,
): Promise<void> {
  await until(`the figures of ${channel} are told`, async () => {
    const { channels } = await layer.stats();
    return channels.some((each) => each.channel === channel && condition(each));
  });
}

function names(channels: readonly ChannelFigures[]): string {
  return channels.map(({ channel }) => channel).join(', ') || 'nothing';
}

function eventsOf({ events }: Trace): string[] {
  return events.map(({ event }) => event);
}

type Mail = { readonly type: 'mail.good' } | { readonly type: 'mail.bad' };

class MailConsumer extends Consumer<Mail> {
  mailGood(): void {}

  mailBad(): void {
    throw new Error('a bad one');
  }
}

/** Has a worker take so many messages. */
async function work(layer: ChannelLayer, count: number): Promise<void> {
  const stop = new AbortController();
  const application = Consumer.application(() => new MailConsumer());
  const worker = new Worker({ application, layer, channels: ['mail'] });
  const running = worker.run(stop.signal);
  await until('the worker is done', () => {
    const [stats] = worker.stats();
    return stats !== undefined && stats.handled + stats.failed + stats.dropped === count;
  });
  stop.abort();
  await running;
}
