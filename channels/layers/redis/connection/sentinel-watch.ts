// Notices when Sentinels have chosen another master. The old master may go on for a while, or hang.

import type { Redis } from 'ioredis';
import type { Endpoint } from './hosts.js';

const channel = '+switch-master';
const retryMs = 2000;

/**
 * Listens to all Sentinels of an address, also after their restarts.
 *
 * @returns ends it
 */
export function watchSentinels(
  Client: typeof Redis,
  { sentinels = [], name, sentinelUsername, sentinelPassword, sentinelTLS }: Endpoint,
  onSwitch: () => void,
): () => void {
  const clients = sentinels.map(({ host = 'localhost', port = 26_379 }) => {
    const client = new Client({
      host,
      port,
      username: sentinelUsername,
      password: sentinelPassword,
      tls: sentinelTLS,
      protocol: 2,
      disableClientInfo: true,
      enableReadyCheck: false,
      autoResubscribe: false,
      retryStrategy: () => retryMs,
    });
    client.on('error', () => undefined);
    client.on('ready', () => void client.subscribe(channel).catch(() => undefined));
    client.on('message', (_channel, text: string) => {
      if (text.startsWith(`${name} `)) onSwitch();
    });
    return client;
  });
  return () => {
    for (const client of clients) client.disconnect();
  };
}
