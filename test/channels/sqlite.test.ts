import { join } from 'node:path';
import { SqliteChannelLayer } from '../../channels/layers/sqlite.js';
import { layerContract } from '../contracts/layer.js';

layerContract('the SQLite layer keeps the contract', {
  medium: async (t) => {
    const path = join(t.testdir(), 'channels.db');
    return { open: async (options = {}) => new SqliteChannelLayer({ ...options, path }) };
  },
});
