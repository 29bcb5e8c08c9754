// The hosts of a layer, and which of them something lies on.

import type { Host } from './host.js';
import { shardOf } from './shard.js';

/** Source: docs/wire.md section 7, W6 and W7. */
export class Ring {
  readonly hosts: readonly Host[];
  #turn = 0;

  constructor(hosts: readonly Host[]) {
    this.hosts = hosts;
  }

  /** The host of a group, or of a key for a process. */
  of(name: string): Host {
    return this.#at(shardOf(name, this.hosts.length));
  }

  /** The host whose turn it is to take a message for a general channel, leaving out those that are away. */
  next(): Host {
    const turn = this.#turn++;
    for (let i = 0; i < this.hosts.length; i++) {
      const host = this.#at(turn + i);
      if (!host.commands.isAway) return host;
    }
    return this.#at(turn);
  }

  #at(index: number): Host {
    const host = this.hosts[index % this.hosts.length];
    if (host === undefined) throw new RangeError('a layer has at least one host');
    return host;
  }
}
