// Creates the layer that a URL names.

import { InvalidOptionError } from './errors.js';
import type { ChannelLayer, LayerOptions } from './layer.js';
import type { RedisLayerOptions } from './layers/redis/layer.js';

/** The options of all layers, and those of Redis, which other layers ignore. */
export interface OpenLayerOptions extends LayerOptions, Omit<RedisLayerOptions, 'hosts'> {}

/**
 * Creates the layer of a URL, or of a list of URLs for Redis. It does not connect yet, and loads only the
 * code of that layer.
 *
 * | URL | layer |
 * | --- | --- |
 * | `memory:` | InMemoryChannelLayer, a new one each time |
 * | `sqlite:/var/lib/site/channels.db`, `sqlite:channels.db` | SqliteChannelLayer, relative to the working directory |
 * | `redis://[user:password@]host[:port][/db]`, `rediss://…`, `unix:///socket?db=0` | RedisChannelLayer |
 * | `redis+sentinel://host:port,host:port/master`, `redis+cluster://host:port,host:port` | the same |
 * | `redis+pubsub://…`, `rediss+pubsub://…` | RedisPubSubChannelLayer on `redis://…`, `rediss://…` |
 *
 * @throws InvalidOptionError (`CHANNELS_ERR_INVALID_OPTION`) for any other; no message ever shows a URL's
 *   password
 * @example const layer = await openLayer('sqlite:channels.db', { capacity: 1000 })
 */
export async function openLayer(
  url: string | readonly string[],
  options: OpenLayerOptions = {},
): Promise<ChannelLayer> {
  if (typeof url !== 'string') {
    const { RedisChannelLayer } = await import('./layers/redis/layer.js');
    return new RedisChannelLayer({ ...options, hosts: url });
  }
  const scheme = /^([a-z][a-z\d+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === 'memory') {
    const { InMemoryChannelLayer } = await import('./layers/memory/layer.js');
    return new InMemoryChannelLayer(options);
  }
  if (scheme === 'sqlite') {
    const { SqliteChannelLayer } = await import('./layers/sqlite/layer.js');
    return new SqliteChannelLayer({ ...options, path: filePath(url.slice('sqlite:'.length)) });
  }
  if (scheme === 'redis+pubsub' || scheme === 'rediss+pubsub') {
    const { RedisPubSubChannelLayer } = await import('./layers/redis-pubsub/layer.js');
    return new RedisPubSubChannelLayer({ ...options, hosts: [url.replace(/\+pubsub/i, '')] });
  }
  if (/^(rediss?(\+sentinel|\+cluster)?|unix)$/.test(scheme ?? '')) return openLayer([url], options);
  // Do not show the URL: an unknown text may contain a password.
  const found = scheme === undefined ? 'a text without a scheme' : `${scheme}:`;
  throw new InvalidOptionError('layer', 'a URL with memory:, sqlite:, redis:, rediss: or unix:', found);
}

/** Accepts `sqlite:///path` too, as other programs write it. */
function filePath(rest: string): string {
  const path = rest.replace(/^\/\//, '');
  if (path === '') throw new InvalidOptionError('layer', 'sqlite: followed by the path of a file', 'sqlite:');
  return path;
}
