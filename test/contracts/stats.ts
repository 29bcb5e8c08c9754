// What every channel layer with the extension `stats` promises to those who look at it.

import { type ChannelFigures, type ChannelLayer, deadLetterChannel } from '../../channels/index.js';
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
export function statsContract(name: string, options: LayerContractOptions): void {
  runContract(name, contract, options);
}

const contract: Contract = {
  async 'stats say how full a channel is and how old its first message is'(t, open) {
    const clock = settableClock();
    const [layer, watcher] = [await open({ capacity: 3, now: clock.now }), await open({ now: clock.now })];
    for (const n of range(3)) await layer.send('mail', numbered(n));
    t.equal(await isAccepted(layer.send('mail', numbered(3))), false);
    await receive(layer, 'mail');
    clock.advance(5000);
    const { oldestAgeMs, ...figures } = await figuresOf(layer, 'mail');
    t.match(figures, { depth: 2, capacity: 3, onLease: 0, dead: 0 });
    t.ok(oldestAgeMs !== undefined && oldestAgeMs >= 5000 && oldestAgeMs < 65_000, `is ${oldestAgeMs}`);
    t.match(await figuresOf(watcher, 'mail'), { depth: 2 });
  },

  async 'specific channels are one by their kind, and the keys that hold messages are named'(t, open) {
    const layer = await open();
    const [one, other] = [await layer.newChannel(), await layer.newChannel()];
    for (const channel of [one, other, one]) await layer.send(channel, numbered(0));
    const key = one.slice(0, one.indexOf('!') + 1);
    t.match(await figuresOf(layer, 'specific.*!'), { depth: 3, keys: [{ key, depth: 3 }] });
  },

  async 'stats count what is on lease'(t, open) {
    const layer = await open();
    await layer.sendMany('mail', range(3).map(numbered));
    const [first] = await layer.receiveMany('mail', { lease: 60_000, max: 2 });
    t.match(await figuresOf(layer, 'mail'), { depth: 1, onLease: 2 });
    await first?.release();
    t.match(await figuresOf(layer, 'mail'), { depth: 2, onLease: 1 });
    await (await layer.receive('mail', { lease: 60_000 })).ack();
    t.match(await figuresOf(layer, 'mail'), { depth: 1, onLease: 1 });
  },

  async 'dead letters are counted with the channel that they were sent to'(t, open) {
    const layer = await open({ maxDeliveries: 1 });
    await layer.send('mail', numbered(1));
    await (await layer.receive('mail', { lease: 60_000 })).release();
    t.same(await layer.receiveMany('mail', { lease: 60_000, waitMs: 0 }), []);
    const dead = deadLetterChannel('mail');
    await until('it is buried', async () => (await layer.peek(dead)).length === 1);
    t.match((await layer.stats()).channels, [{ channel: 'mail', depth: 0, onLease: 0, dead: 1 }]);
  },

  async 'peeking shows the next messages and takes none'(t, open) {
    const [layer, watcher] = [await open(), await open()];
    await layer.sendMany('mail', range(5).map(numbered));
    const peeked = await watcher.peek('mail', { max: 3 });
    t.match(peeked, [
      { message: numbered(0), channels: ['mail'], deliveries: 0 },
      { message: numbered(1) },
      { message: numbered(2) },
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
    const [, second] = await layer.receiveMany('mail', { lease: 60_000, max: 2 });
    await second?.release();
    t.match(await layer.peek('mail'), [
      { message: numbered(1), deliveries: 1 },
      { message: numbered(2), deliveries: 0 },
    ]);
    const [leased, ...others] = await layer.peek('mail', { onLease: true });
    t.match(leased, { message: numbered(0), deliveries: 1 });
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

  async 'groups are listed with their members, and when each was renewed'(t, open) {
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

  async 'nothing is left to look at after flush'(t, open) {
    const layer = await open();
    await layer.send('mail', numbered(0));
    await layer.groupAdd('room', 'mail');
    await layer.flush();
    t.same((await layer.stats()).channels, []);
    t.same(await layer.groups(), []);
    await layer.send('mail', numbered(1));
    t.match(await figuresOf(layer, 'mail'), { depth: 1 });
  },

  async 'looking with what makes no sense, or into a closed layer, is refused'(t, open) {
    const layer = await open();
    await t.rejects(layer.peek('no name'), { code: 'CHANNELS_ERR_INVALID_NAME' });
    await t.rejects(layer.peek('mail', { max: 0 }), { code: 'CHANNELS_ERR_INVALID_OPTION', option: 'max' });
    await t.rejects(layer.groups('no!name'), { code: 'CHANNELS_ERR_INVALID_NAME' });
    await layer.close();
    for (const look of [() => layer.stats(), () => layer.peek('mail'), () => layer.groups()])
      await t.rejects(async () => look(), { code: 'CHANNELS_ERR_LAYER_CLOSED' });
  },
};

/** The titles of the tests. */
export const statsClaims: readonly string[] = Object.keys(contract);

/** The figures of a channel; fails when there are none. */
async function figuresOf(layer: ChannelLayer, channel: string): Promise<ChannelFigures> {
  const { channels } = await layer.stats();
  const figures = channels.find((each) => each.channel === channel);
  if (figures !== undefined) return figures;
  const names = channels.map((each) => each.channel).join(', ') || 'nothing';
  throw new Error(`no figures of ${channel}, only of ${names}`);
}
