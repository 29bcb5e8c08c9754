import { join } from 'node:path';
import t from 'tap';
import { InMemoryChannelLayer, RedisChannelLayer, SqliteChannelLayer } from '../../channels/index.js';
import { xrayContract } from '../contracts/xray.js';
import { testDirectory } from '../support/directory.js';
import { RedisServer } from '../support/redis.js';

xrayContract('the X-ray of the memory layer', {
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

xrayContract('the X-ray of the SQLite layer', {
  medium: async (t) => {
    const path = join(testDirectory(t), 'channels.db');
    return { open: async (options) => new SqliteChannelLayer({ path, ...options }) };
  },
});

const server = await RedisServer.start(t);
const other = await RedisServer.start(t);
let mediums = 0;

xrayContract('the X-ray of the Redis layer', {
  medium: async () => {
    const prefix = `xray${++mediums}:`;
    return { open: async (options) => new RedisChannelLayer({ hosts: [server.url], prefix, ...options }) };
  },
});

xrayContract('the X-ray of the Redis layer on two hosts, encrypted, with short random prefixes', {
  medium: async () => {
    const shared = {
      hosts: [server.url, other.url],
      prefix: `xray${++mediums}:`,
      symmetricEncryptionKeys: ['secret'],
      randomPrefixLength: 4,
    };
    return { open: async (options) => new RedisChannelLayer({ ...shared, ...options }) };
  },
  skips: {
    'stats tell how full a channel is, how old its first message is, and what was counted':
      'capacity and order are those of each host',
    'peeking shows the next messages, by the ids of their receipts, and takes none': 'the same',
    'a dead letter has the id of its message': 'with so few random bytes an id is made of the content',
    'peeking shows what comes again first, and what is on lease where asked': 'the same',
    'a group send has an event and a count for every channel': 'the same',
    'a receipt has an id for every message that was accepted, and for none that was refused': 'the same',
  },
});
