// A master that Redis Sentinel watches: after a fail-over it is another server.

import type { Address, Endpoint } from './address.js';
import { ask, Seeds } from './ask.js';

export interface SentinelOptions {
  readonly seeds: readonly Endpoint[];
  readonly masterName: string;
  /** What the master's connection needs besides host and port. */
  readonly common: Endpoint;
}

/** The server that the Sentinels call the master. */
export function sentinelAddress({ seeds, masterName, common }: SentinelOptions): Address {
  const sentinels = new Seeds(seeds);
  return {
    name: `${sentinels.name}/${masterName}`,
    moves: true,
    locate: (signal) =>
      sentinels.find(async (sentinel) => {
        const reply = await ask(sentinel, ['SENTINEL', 'get-master-addr-by-name', masterName], signal);
        if (reply === null) throw new Error(`Sentinel knows no master ${JSON.stringify(masterName)}`);
        if (!Array.isArray(reply)) return undefined;
        return { ...common, host: String(reply[0]), port: Number(reply[1]) };
      }),
  };
}
