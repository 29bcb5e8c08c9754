// How many connections there are, in all and of each client address.

import type { ServerLimits } from './options.js';

/** Counts connections against their limits. */
export class ConnectionCounts {
  readonly #limits: Pick<ServerLimits, 'maxConnections' | 'maxConnectionsPerAddress'>;
  readonly #perAddress = new Map<string, number>();
  #total = 0;

  constructor(limits: Pick<ServerLimits, 'maxConnections' | 'maxConnectionsPerAddress'>) {
    this.#limits = limits;
  }

  /** Counts a connection; returns how to take it back, or undefined when there are too many. */
  open(): (() => void) | undefined {
    if (this.#total >= this.#limits.maxConnections) return undefined;
    this.#total++;
    return () => {
      this.#total--;
    };
  }

  /** The same for one client's address. */
  openFor(address: string): (() => void) | undefined {
    const count = this.#perAddress.get(address) ?? 0;
    if (count >= this.#limits.maxConnectionsPerAddress) return undefined;
    this.#perAddress.set(address, count + 1);
    return () => {
      const left = (this.#perAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#perAddress.delete(address);
      else this.#perAddress.set(address, left);
    };
  }
}
