// Removing what a layer has on the server.

import type { Connection } from './connection.js';

const keysAtOnce = 1000;

/**
 * Removes what a layer with this prefix has: all sorted sets whose name begins with it, and the messages that are on
 * lease. Steps through the server's keys instead of listing them in one go, during which
 * nobody else would be served.
 */
export async function flush(commands: Connection, prefix: string): Promise<void> {
  const escaped = prefix.replace(/[*?[\]\\^]/g, '\\$&');
  await flushKeys(commands, `${escaped}*`, 'zset');
  await flushKeys(commands, `${escaped}:leased:*`, 'hash');
}

async function flushKeys(commands: Connection, pattern: string, type: string): Promise<void> {
  let cursor = '0';
  do {
    const from = cursor;
    const [next, keys] = await commands.run((client) =>
      client.scanBuffer(from, 'MATCH', pattern, 'COUNT', keysAtOnce, 'TYPE', type),
    );
    if (keys.length > 0) await commands.run((client) => client.unlink(...keys));
    cursor = next.toString();
  } while (cursor !== '0');
}
