// Stepping through the keys of a layer, instead of listing them in one go, during which nobody else would be served.

import type { Connection } from './connection.js';

const keysAtOnce = 1000;

/** Yields the keys that begin with a text, which is taken literally, each once. */
export async function* scanKeys(
  commands: Connection,
  begin: string,
  type?: string,
): AsyncGenerator<readonly string[]> {
  const pattern = `${begin.replace(/[*?[\]\\^]/g, '\\$&')}*`;
  const seen = new Set<string>();
  let cursor = '0';
  do {
    const from = cursor;
    const [next, keys] = await commands.run((client) =>
      type === undefined
        ? client.scan(from, 'MATCH', pattern, 'COUNT', keysAtOnce)
        : client.scan(from, 'MATCH', pattern, 'COUNT', keysAtOnce, 'TYPE', type),
    );
    const fresh = keys.filter((key) => !seen.has(key));
    for (const key of fresh) seen.add(key);
    if (fresh.length > 0) yield fresh;
    cursor = next;
  } while (cursor !== '0');
}
