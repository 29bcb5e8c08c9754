// The kinds of work that are measured, each on one contestant. The receiver waits before the sender begins, and the
// time of what was received goes from the first send to the last receive, by one clock.

import { setTimeout as pause } from 'node:timers/promises';
import { quantiles } from '../shared/quantiles.js';
import type { RedisServer } from '../shared/redis-server.js';
import type { Found } from '../shared/results.js';
import type { Pair } from './contestants.js';
import type { SendTask } from './tasks.js';

export interface Flow extends Omit<SendTask, 'do' | 'channels'> {
  /** Distinguishes the channels of one kind of work from those of another. */
  readonly name: string;
  /** How many channels. */
  readonly channels: number;
}

/** What a sender and a receiver have between the receiver's word that it waits and the first send. */
const settleMs = 20;

/**
 * One sends, the other receives. `sent` and `received`: messages a second; `redisUs`: processor time of Redis for a
 * message there and out again, in microseconds.
 *
 * @throws Error when not every message was accepted and received
 */
export async function flow(pair: Pair, redis: RedisServer, work: Flow): Promise<Found> {
  const { name, count, batch } = work;
  const channels = Array.from({ length: work.channels }, (_, i) => `${name}.${pair.name}.${i}`);
  const receiving = await pair.receiver.begin({ do: 'receive', channels, count, batch });
  if (pair.isPubSub) await redis.subscribed(channels);
  await pause(settleMs);
  const before = await redis.usage();
  const sent = await pair.sender.do({ ...work, do: 'send', channels });
  const received = await receiving.report;
  const after = await redis.usage();
  if (sent.count !== count || received.count !== count)
    throw new Error(`${pair.name}: of ${count} messages ${sent.count} were accepted, ${received.count} came`);
  return {
    sent: perSecond(count, sent.until - sent.from),
    received: perSecond(count, received.until - sent.from),
    redisUs: ((after.cpuMs - before.cpuMs) / count) * 1000,
  };
}

/** One sends on `ping`, the other answers on `pong`: `p50`, `p99` in milliseconds. */
export async function pingPong(pair: Pair, redis: RedisServer, rounds: number): Promise<Found> {
  const ping = `ping.${pair.name}`;
  // What nobody listens to yet is lost in PubSub, so there the answer comes on a channel that is subscribed to already.
  const pong = pair.isPubSub ? (await pair.sender.do({ do: 'newChannel' })).channel : `pong.${pair.name}`;
  const task = { ping, pong, rounds, bytes: 100 } as const;
  const echoing = await pair.receiver.begin({ ...task, do: 'echo' });
  if (pair.isPubSub) await redis.subscribed([ping, pong]);
  const times = await pair.sender.do({ ...task, do: 'ping' });
  await echoing.report;
  return quantiles(times.times);
}

/** One message at a time, from the call that sends it to the receiver: `p50`, `p99` in milliseconds. */
export async function oneWay(pair: Pair, count: number): Promise<Found> {
  const channel = `paced.${pair.name}`;
  const clocking = await pair.receiver.begin({ do: 'clock', channel, count });
  await pause(settleMs);
  await pair.sender.do({ do: 'pace', channel, count, everyMs: 1, bytes: 100 });
  return quantiles((await clocking.report).times);
}

/** Messages to a group whose members are all in one other process. `delivered`: to a member, a second. */
export async function group(
  pair: Pair,
  redis: RedisServer,
  { members, count, run }: { members: number; count: number; run: number },
): Promise<Found> {
  // A group of its own for every run: memberships of the last one would be sent to as well.
  const name = `group.${pair.name}.${members}.${run}`;
  const attending = await pair.receiver.begin({ do: 'attend', group: name, members, count });
  if (pair.isPubSub) await redis.subscribed([`bench:${pair.name}:__group__${name}`]);
  await pause(settleMs);
  const sent = await pair.sender.do({ do: 'groupSend', group: name, count, bytes: 100 });
  const received = await attending.report;
  return { delivered: perSecond(received.count, received.until - sent.from) };
}

function perSecond(count: number, elapsedMs: number): number {
  return (count / elapsedMs) * 1000;
}

/** Sends one after the other while nobody receives: `sent`, a second. What was sent is received afterwards, untimed. */
export async function unattended(pair: Pair, count: number): Promise<Found> {
  const channels = [`unattended.${pair.name}`];
  const sent = await pair.sender.do({ do: 'send', channels, count, inFlight: 1, batch: 1, bytes: 100 });
  // By the sender, so that a contestant whose receivers go on taking has none in the next run.
  const { report } = await pair.receiver.begin({ do: 'receive', channels, count, batch: 1 });
  await report;
  return { sent: perSecond(sent.count, sent.until - sent.from) };
}
