// Facts from the channel layer, and from the Redis servers below it.

import { Redis } from 'ioredis';
import type { ChannelFigures } from '../../channels/index.js';
import { hidePassword } from '../base/hide-password.js';
import type { Site } from '../site/site.js';
import { NotRunError } from './part.js';

export interface LayerFacts {
  readonly channels: readonly ChannelFigures[];
  /** Workers that answered on this site's channels, and are not in its database. */
  readonly strangers: readonly string[];
}

export interface RedisFacts {
  /** The URL without a password. */
  readonly name: string;
  readonly version: string;
  readonly evictionPolicy: string;
  /** Null where this user may not ask. */
  readonly isPersistent: boolean | null;
  /** How far this machine's clock is ahead of the server's. */
  readonly skewMs: number;
}

/** How long workers have to answer, those of another site included. */
const answerMs = 500;
const timeoutMs = 2000;

/** @param known the workers of the site's database; null when they are not known */
export async function gatherLayer(site: Site, known: ReadonlySet<string> | null): Promise<LayerFacts> {
  const layer = await site.openLayer({ timeoutMs });
  try {
    if (!layer.extensions.has('stats')) return { channels: [], strangers: [] };
    const { channels } = await layer.stats();
    const strangers: string[] = [];
    if (known !== null) {
      const reply = await layer.newChannel();
      await layer.groupSend(site.workersGroup, { type: 'worker.ping', reply_channel: reply });
      const signal = AbortSignal.timeout(answerMs);
      while (!signal.aborted) {
        const pong = await layer.receive(reply, { signal }).catch(() => null);
        if (pong !== null && !known.has(String(pong.worker))) strangers.push(String(pong.worker));
      }
    }
    return { channels, strangers };
  } finally {
    await layer.close();
  }
}

export async function gatherRedis(site: Site): Promise<RedisFacts[]> {
  const urls = [site.settings.channelLayer].flat();
  if (urls.some((url) => url.startsWith('sqlite:'))) throw new NotRunError('there is no Redis');
  if (urls.some((url) => /^[a-z]+\+/.test(url)))
    throw new NotRunError('the servers of Sentinel and Cluster are not asked: check them yourself');
  return await Promise.all(urls.map(askServer));
}

async function askServer(url: string): Promise<RedisFacts> {
  const options = { connectTimeout: timeoutMs, commandTimeout: timeoutMs, maxRetriesPerRequest: 0 };
  const client = new Redis(url, { ...options, lazyConnect: true, retryStrategy: () => null });
  // The first command reports it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const before = Date.now();
    const [seconds = 0, microseconds = 0] = (await client.time()).map(Number);
    const here = (before + Date.now()) / 2;
    const info = new Map(
      (await client.info()).split('\r\n').map((line) => {
        const [name = '', value = ''] = line.split(':', 2);
        return [name, value];
      }),
    );
    const save = await client.config('GET', 'save').catch(() => null);
    const isSaved = Array.isArray(save) ? save[1] !== '' : null;
    return {
      name: hidePassword(url),
      version: info.get('redis_version') ?? '',
      evictionPolicy: info.get('maxmemory_policy') ?? 'noeviction',
      isPersistent: info.get('aof_enabled') === '1' ? true : isSaved,
      skewMs: Math.round(here - (seconds * 1000 + microseconds / 1000)),
    };
  } finally {
    client.disconnect();
  }
}
