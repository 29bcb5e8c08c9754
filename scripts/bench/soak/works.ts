// The kinds of work that a soak mixes. Each has its channel and its ledger; each round sends some messages and, but for
// the worker's, receives them.

import type { ChannelLayer } from '../../../channels/layer.js';
import type { Leased } from '../../../channels/leases.js';
import type { Ledger } from './ledger.js';

/** What a round works with. */
export interface Hands {
  readonly sender: ChannelLayer;
  readonly receiver: ChannelLayer;
  readonly channel: string;
  readonly ledger: Ledger;
}

export type WorkName = 'worker' | 'batches' | 'leases' | 'groups' | 'cancels';

export interface Work {
  readonly name: WorkName;
  readonly round: (hands: Hands) => Promise<void>;
}

export const works: readonly Work[] = [
  { name: 'worker', round: sendToWorker },
  { name: 'batches', round: sendBatch },
  { name: 'leases', round: lease },
  { name: 'groups', round: sendToGroup },
  { name: 'cancels', round: cancel },
];

export function workChannel(name: WorkName): string {
  return `soak.${name}`;
}

const sendsPerRound = 5;
const batchSize = 40;
const leasesPerRound = 5;
const membersOfGroup = 5;
const leaseMs = 60_000;
/** A message that is that late counts as lost. */
export const lostAfterMs = 30_000;

/** Some after each other, and some in the same turn of the event loop. */
async function sendToWorker({ sender, channel, ledger }: Hands): Promise<void> {
  for (let i = 0; i < sendsPerRound; i++) await sender.send(channel, numbered(ledger));
  await Promise.all(Array.from({ length: sendsPerRound }, () => sender.send(channel, numbered(ledger))));
}

async function sendBatch({ sender, receiver, channel, ledger }: Hands): Promise<void> {
  const sent = Array.from({ length: batchSize }, () => numbered(ledger));
  await sender.sendMany(channel, sent);
  for (let taken = 0; taken < batchSize; ) {
    const received = await receiver.receiveMany(channel, { max: 15, waitMs: lostAfterMs });
    for (const { number } of received) ledger.take(number);
    taken += received.length;
    if (received.length === 0) return; // what is missing is lost, and told at the end of the lap
  }
}

/** The first is given back before it is acknowledged, the second extended. */
async function lease({ sender, receiver, channel, ledger }: Hands): Promise<void> {
  for (let i = 0; i < leasesPerRound; i++) await sender.send(channel, numbered(ledger));
  const first = await receiver.receive(channel, { lease: leaseMs });
  await first.release();
  const second = await receiver.receive(channel, { lease: leaseMs });
  await second.extend(2 * leaseMs);
  const rest: Leased[] = [];
  while (rest.length < leasesPerRound - 1)
    rest.push(...(await receiver.receiveMany(channel, { lease: leaseMs })));
  for (const leased of [second, ...rest]) if (await leased.ack()) ledger.take(leased.message.number);
}

async function sendToGroup({ sender, receiver, channel: group, ledger }: Hands): Promise<void> {
  const channels = await Promise.all(Array.from({ length: membersOfGroup }, () => receiver.newChannel()));
  for (const channel of channels) await receiver.groupAdd(group, channel);
  const message = numbered(ledger);
  await sender.groupSend(group, message);
  const received = await Promise.all(channels.map((channel) => receiver.receive(channel)));
  for (const channel of channels) await receiver.groupDiscard(group, channel);
  if (received.every(({ number }) => number === message.number)) ledger.take(message.number);
}

/** Receives are called off until the messages have come all the same. */
async function cancel({ sender, receiver, channel, ledger }: Hands): Promise<void> {
  const sending = Promise.all([1, 2, 3].map(() => sender.send(channel, numbered(ledger))));
  await Promise.all([sending, receiveWithCancels(receiver, channel, ledger)]);
}

async function receiveWithCancels(receiver: ChannelLayer, channel: string, ledger: Ledger): Promise<void> {
  for (let taken = 0; taken < 3; ) {
    const callOff = new AbortController();
    const timer = setTimeout(() => callOff.abort(), Math.random() * 5);
    try {
      ledger.take((await receiver.receive(channel, { signal: callOff.signal })).number);
      taken++;
    } catch (error) {
      if (!callOff.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

function numbered(ledger: Ledger): { type: string; number: number; text: string } {
  return { type: 'soak.message', number: ledger.next(), text: 'x'.repeat(60) };
}
