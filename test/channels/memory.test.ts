import { InMemoryChannelLayer } from '../../channels/index.js';
import { layerContract } from '../contracts/layer.js';

layerContract('the memory layer', {
  medium: async () => {
    // One process, so every opening is the same object; the first one's options count.
    let layer: InMemoryChannelLayer | undefined;
    return {
      open: async (options) => {
        layer ??= new InMemoryChannelLayer(options);
        return layer;
      },
    };
  },
  skips: {
    'another process may not receive on a specific channel': 'there is one process',
    'a layer closed by one process goes on for another': 'there is one process',
  },
});
