// What a worker costs that waits on ten channels on which nothing comes: Channels' Worker, and ours.

import { setTimeout as pause } from 'node:timers/promises';
import { RedisServer } from '../shared/redis-server.js';
import type { Found } from '../shared/results.js';
import type { Contestants } from './contestants.js';

const channels = Array.from({ length: 10 }, (_, i) => `idle.${i}`);
/**
 * What a worker does once after its start is not what waiting costs: V8 clears up some 10 s after it, and ours closes the
 * connections that it has no use for after 40 s.
 */
const settleMs = 50_000;
/** A multiple of the seconds after which both look again. */
export const idleMs = 30_000;

/**
 * `commands` and `cpuMs` a minute. Each has a Redis for itself, so that it is known whose commands they are and both can
 * wait at the same time; what the server does by itself counts for nobody.
 */
export async function idle(
  contestants: Contestants,
  name: 'python' | 'redis',
  forMs: number,
): Promise<Found> {
  const redis = await RedisServer.start();
  const peer = contestants.open(name, redis.url);
  try {
    await peer.begin({ do: 'work', channels });
    await pause(settleMs);
    const [server, process] = [await redis.usage(), await peer.do({ do: 'usage' })];
    await pause(forMs);
    const [serverAfter, processAfter] = [await redis.usage(), await peer.do({ do: 'usage' })];
    const perMinute = 60_000 / forMs;
    return {
      // Each look at the server is commands, too.
      commands: (serverAfter.commands - server.commands - commandsOfUsage) * perMinute,
      cpuMs: (processAfter.cpuMs - process.cpuMs) * perMinute,
    };
  } finally {
    await peer.close();
    await redis.close();
  }
}

/** Between the counts of two looks: the second INFO of the first one, and the first of the second. */
const commandsOfUsage = 2;
