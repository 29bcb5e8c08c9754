import t from 'tap';
import { type DroppedMessage, InMemoryChannelLayer } from '../../../../channels/index.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { batchContract } from '../../../contracts/batches.js';
import { layerContract } from '../../../contracts/layer.js';
import { leaseContract } from '../../../contracts/leases.js';
import type { LayerContractOptions } from '../../../contracts/run.js';

const medium: LayerContractOptions['medium'] = async () => {
  // One process, so every opening is the same object; the first one's options count.
  let layer: InMemoryChannelLayer | undefined;
  return {
    open: async (options) => {
      layer ??= new InMemoryChannelLayer(options);
      return layer;
    },
  };
};

layerContract('the memory layer', {
  medium,
  skips: {
    'another process may not receive on a specific channel': 'there is one process',
    'a layer closed by one process goes on for another': 'there is one process',
  },
});

batchContract('batches on the memory layer', {
  medium,
  skips: { 'closing at once takes nothing that was not asked for': 'there is one process' },
});

leaseContract('leases on the memory layer', {
  medium,
  skips: { 'what a closed layer had on lease comes again to another': 'there is one process' },
});

t.test('what nobody receives is cleared away while others send', async (t) => {
  const clock = new ManualClock();
  const dropped: DroppedMessage[] = [];
  const layer = new InMemoryChannelLayer({
    expiry: 10,
    now: clock.now,
    onDrop: (drop) => dropped.push(drop),
  });
  t.teardown(() => layer.close());
  await layer.send('idle', { type: 'test' });
  clock.advance(9_000);
  await layer.send('busy', { type: 'test' });
  t.same(dropped, []);
  clock.advance(1_000);
  await layer.send('busy', { type: 'test' });
  t.same(dropped, [{ channel: 'idle', reason: 'expired' }]);
});

t.test('opening a layer with options that make no sense is refused', async (t) => {
  t.throws(() => new InMemoryChannelLayer({ capacity: 0 }), { code: 'CHANNELS_ERR_INVALID_OPTION' });
  t.throws(() => new InMemoryChannelLayer({ expiry: 0 }), { code: 'CHANNELS_ERR_INVALID_OPTION' });
  t.throws(() => new InMemoryChannelLayer({ groupExpiry: -1 }), { code: 'CHANNELS_ERR_INVALID_OPTION' });
});
