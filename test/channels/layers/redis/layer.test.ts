import t from 'tap';
import { RedisChannelLayer } from '../../../../channels/layers/redis/layer.js';
import { batchContract } from '../../../contracts/batches.js';
import { layerContract } from '../../../contracts/layer.js';
import { leaseContract } from '../../../contracts/leases.js';
import type { LayerContractOptions } from '../../../contracts/run.js';
import { patientMs } from '../../../support/patience.js';
import { RedisServer } from '../../../support/redis.js';

const server = await RedisServer.start(t);
let mediums = 0;

const medium: LayerContractOptions['medium'] = async () => {
  const prefix = `contract${++mediums}:`;
  return {
    open: async (options) =>
      new RedisChannelLayer({ hosts: [server.url], prefix, timeoutMs: patientMs, ...options }),
  };
};

layerContract('the Redis layer', { medium });
batchContract('batches on the Redis layer', { medium });
leaseContract('leases on the Redis layer', { medium });
