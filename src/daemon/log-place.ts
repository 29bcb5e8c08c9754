// Which processes write into one lino.log.

import { hostname } from 'node:os';
import type { Site } from '../site.js';

/**
 * Names the log whose lease and checkpoint a worker wants: empty for the one log of a site. Where the database serves
 * several machines and the channel layer is a file of this one, records do not leave the machine: then each has its
 * own log.
 */
export function logPlace({ settings }: Site): string {
  const { channelLayer, databaseUrl } = settings;
  const isLocal = typeof channelLayer === 'string' && channelLayer.startsWith('sqlite:');
  return isLocal && !databaseUrl.startsWith('sqlite:') ? `${hostname()} ${channelLayer}` : '';
}
