// Which contestant is which code.

import { InMemoryChannelLayer } from '../../../channels/layers/memory.js';
import { RedisChannelLayer } from '../../../channels/layers/redis.js';
import { RedisPubSubChannelLayer } from '../../../channels/layers/redis-pubsub.js';
import { SqliteChannelLayer } from '../../../channels/layers/sqlite.js';
import { barePubSub } from './bare-pubsub.js';
import { bareRedis } from './bare-redis.js';
import { bareSqlite } from './bare-sqlite.js';
import { bullmq } from './bullmq.js';
import { capacity, NotMeasuredError, type Transport, type TransportOptions } from './transport.js';

export function openTransport({ kind, url, prefix, path, bullmq: directory }: TransportOptions): Transport {
  const hosts = [url];
  switch (kind) {
    case 'memory':
      return new InMemoryChannelLayer({ capacity });
    case 'sqlite':
      return new SqliteChannelLayer({ path, capacity });
    case 'redis':
      return new RedisChannelLayer({ hosts, prefix, capacity });
    case 'pubsub':
      return new RedisPubSubChannelLayer({ hosts, prefix, capacity });
    case 'bare':
      return bareRedis(url, prefix);
    case 'barePubSub':
      return barePubSub(url);
    case 'bareSqlite':
      return bareSqlite(`${path}-bare`);
    case 'bullmq':
      if (directory === undefined) throw new NotMeasuredError('BullMQ is not installed');
      return bullmq(directory, url, prefix);
  }
}
