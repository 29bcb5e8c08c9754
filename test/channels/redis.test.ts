import t from 'tap';
import { RedisChannelLayer } from '../../channels/layers/redis.js';
import { layerContract } from '../contracts/layer.js';
import { RedisServer } from '../support/redis.js';

const server = await RedisServer.start(t);
let mediums = 0;

layerContract('the Redis layer', {
  medium: async () => {
    const prefix = `contract${++mediums}:`;
    return { open: async (options) => new RedisChannelLayer({ hosts: [server.url], prefix, ...options }) };
  },
});
