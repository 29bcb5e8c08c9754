// What the layers under load keep their messages on.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { ChannelLayer } from '../../../channels/layer.js';
import { RedisChannelLayer } from '../../../channels/layers/redis.js';
import { SqliteChannelLayer } from '../../../channels/layers/sqlite.js';
import type { RedisServer } from '../shared/redis-server.js';

export interface Medium {
  readonly name: 'SQLite' | 'Redis';
  /** Another layer object, as another process would open it. */
  open(): ChannelLayer;
  /** How much it takes up. */
  bytes(): Promise<number>;
  /** Breaks all connections to it, where there are any. Nothing may be under way. */
  disturb(): Promise<void>;
}

/** So that a machine that is busy for minutes makes nobody drop or refuse a message, or give up. */
const options = { expiry: 600, capacity: 100_000 };

export function sqliteMedium(directory: string): Medium {
  const path = join(directory, 'soak.db');
  return {
    name: 'SQLite',
    open: () => new SqliteChannelLayer({ ...options, path }),
    bytes: async () => [path, `${path}-wal`].reduce((sum, file) => sum + sizeOf(file), 0),
    disturb: async () => {},
  };
}

export function redisMedium(server: RedisServer): Medium {
  return {
    name: 'Redis',
    open: () => new RedisChannelLayer({ ...options, timeoutMs: 60_000, hosts: [server.url] }),
    bytes: () => server.memoryBytes(),
    disturb: () => server.dropConnections(),
  };
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
