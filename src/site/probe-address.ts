// Where a process answers probes: an address of TCP, since what probes and scrapes speaks nothing else.

import { parseListenAddress } from '../../channels/server/options.js';
import { UsageError } from '../base/errors.js';

/** @throws UsageError (`LINOD_ERR_USAGE`), InvalidOptionError (`CHANNELS_ERR_INVALID_OPTION`) */
export function parseProbeAddress(text: string): { readonly host: string; readonly port: number } {
  const address = parseListenAddress(text);
  if ('port' in address) return { host: address.host ?? '127.0.0.1', port: address.port };
  throw new UsageError(`expected HOST:PORT or PORT, got ${JSON.stringify(text)}`);
}
