import { join } from 'node:path';
import t from 'tap';
import { InMemoryChannelLayer, RedisChannelLayer, SqliteChannelLayer } from '../../channels/index.js';
import { statsContract } from '../contracts/stats.js';
import { testDirectory } from '../support/directory.js';
import { RedisServer } from '../support/redis.js';

statsContract('looking into the memory layer', {
  medium: async () => {
    let layer: InMemoryChannelLayer | undefined;
    return {
      open: async (options) => {
        layer ??= new InMemoryChannelLayer(options);
        return layer;
      },
    };
  },
});

statsContract('looking into the SQLite layer', {
  medium: async (t) => {
    const path = join(testDirectory(t), 'channels.db');
    return { open: async (options) => new SqliteChannelLayer({ path, ...options }) };
  },
});

const server = await RedisServer.start(t);
const other = await RedisServer.start(t);
let mediums = 0;

statsContract('looking into the Redis layer', {
  medium: async () => {
    const prefix = `stats${++mediums}:`;
    return { open: async (options) => new RedisChannelLayer({ hosts: [server.url], prefix, ...options }) };
  },
});

statsContract('looking into the Redis layer on two hosts, encrypted, with short random prefixes', {
  medium: async () => {
    const shared = {
      hosts: [server.url, other.url],
      prefix: `stats${++mediums}:`,
      symmetricEncryptionKeys: ['secret'],
      randomPrefixLength: 4,
    };
    return { open: async (options) => new RedisChannelLayer({ ...shared, ...options }) };
  },
  skips: {
    'stats say how full a channel is and how old its first message is':
      'capacity and order are those of each host',
    'peeking shows the next messages and takes none': 'the same',
    'peeking shows what comes again first, and what is on lease where asked': 'the same',
  },
});
