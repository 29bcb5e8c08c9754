// Removing what a layer has on the server.

import type { Connection } from './connection.js';

const keysAtOnce = 1000;

/**
 * Removes all sorted sets whose name begins with the prefix; a layer has no other keys. Steps through the server's keys
 * instead of listing them in one go, during which nobody else would be served.
 */
export async function flush(commands: Connection, prefix: string): Promise<void> {
  const pattern = `${prefix.replace(/[*?[\]\\^]/g, '\\$&')}*`;
  let cursor = '0';
  do {
    const from = cursor;
    const [next, keys] = await commands.run((client) =>
      client.scanBuffer(from, 'MATCH', pattern, 'COUNT', keysAtOnce, 'TYPE', 'zset'),
    );
    if (keys.length > 0) await commands.run((client) => client.unlink(...keys));
    cursor = next.toString();
  } while (cursor !== '0');
}
