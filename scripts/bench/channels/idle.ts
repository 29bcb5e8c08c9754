// What a worker costs that waits on ten channels on which nothing comes: Channels' Worker, ours, and a bare read in a loop.

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
/** A multiple of the seconds after which all look again. */
export const idleMs = 30_000;
/** So often, and the median counts: V8 clears up in one of a few half minutes, and that is ten times as much as waiting costs. */
export const idlePeriods = 3;

/**
 * `commands` and `cpuMs` a minute, of each period. Each contestant has a Redis for itself, so that it is known whose commands they are and all can
 * wait at the same time; what the server does by itself counts for nobody.
 */
export async function idle(
  contestants: Contestants,
  name: 'python' | 'redis' | 'bare',
  forMs: number,
  periods: number,
): Promise<Found[]> {
  const redis = await RedisServer.start();
  const peer = contestants.open(name, redis.url);
  const look = async () => ({ ...(await redis.usage()), processMs: (await peer.do({ do: 'usage' })).cpuMs });
  try {
    await peer.begin({ do: 'work', channels });
    await pause(settleMs);
    const found: Found[] = [];
    for (let period = 0, before = await look(); period < periods; period++) {
      await pause(forMs);
      const after = await look();
      const perMinute = 60_000 / forMs;
      found.push({
        // Each look at the server is commands, too.
        commands: (after.commands - before.commands - commandsOfUsage) * perMinute,
        cpuMs: (after.processMs - before.processMs) * perMinute,
      });
      before = after;
    }
    return found;
  } finally {
    await peer.close();
    await redis.close();
  }
}

/** Between the counts of two looks: the second INFO of the first one, and the first of the second. */
const commandsOfUsage = 2;
