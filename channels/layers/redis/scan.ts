// Scans the keys of a layer in steps, so that Redis can serve others in between.

import type { Cluster } from 'ioredis';
import type { Client, Connection } from './connection/connection.js';

const keysAtOnce = 1000;

/** Yields each key that begins with the literal text, once. */
export async function* scanKeys(
  commands: Connection,
  begin: string,
  type?: 'zset' | 'hash',
): AsyncGenerator<readonly string[]> {
  const pattern = `${begin.replace(/[*?[\]\\^]/g, '\\$&')}*`;
  const seen = new Set<string>();
  for (const scan of await commands.run(async (client) => scansOf(client, pattern, type))) {
    let cursor = '0';
    do {
      const from = cursor;
      const [next, keys] = await commands.run(() => scan(from));
      const fresh = keys.filter((key) => !seen.has(key));
      for (const key of fresh) seen.add(key);
      if (fresh.length > 0) yield fresh;
      cursor = next;
    } while (cursor !== '0');
  }
}

/** Removes all sorted sets whose names begin with the prefix, and all leases. */
export async function flush(commands: Connection, prefix: string): Promise<void> {
  for await (const keys of scanKeys(commands, prefix, 'zset'))
    await commands.run((client) => client.unlink(...keys));
  for await (const keys of scanKeys(commands, `${prefix}:leased:`, 'hash'))
    await commands.run((client) => client.unlink(...keys));
}

type Scan = (cursor: string) => Promise<[cursor: string, keys: string[]]>;

/** Scans each node of a cluster, or the one server. */
function scansOf(client: Client | Cluster, pattern: string, type: string | undefined): Scan[] {
  const nodes = 'nodes' in client ? client.nodes('master') : [client];
  return nodes.map(
    (node) => (cursor) =>
      type === undefined
        ? node.scan(cursor, 'MATCH', pattern, 'COUNT', keysAtOnce)
        : node.scan(cursor, 'MATCH', pattern, 'COUNT', keysAtOnce, 'TYPE', type),
  );
}
