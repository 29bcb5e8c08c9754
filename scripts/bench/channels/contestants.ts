// Who is compared: for each contestant a sender and a receiver in processes of their own, as channels are used. They
// are started with their first measurement and stay, so that nobody is measured while it warms up.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { python } from '../shared/machine.js';
import { Peer } from './peer-process.js';
import type { NodeTransport, TransportOptions } from './transport.js';

/** What its line of results calls it, too. */
export type Contestant = 'python' | 'pythonPubSub' | NodeTransport;

export interface Pair {
  readonly name: Contestant;
  readonly sender: Peer;
  /** The same process in the memory layer. */
  readonly receiver: Peer;
  /** Whether a message reaches only those who are subscribed before. */
  readonly isPubSub: boolean;
}

export interface ContestantsOptions {
  /** Of Redis. */
  readonly url: string;
  /** For the files of the SQLite layer. */
  readonly directory: string;
  /** Where BullMQ is installed; undefined when it could not be. */
  readonly bullmq: string | undefined;
  /** Debian's, when channels_redis is installed there. */
  readonly hasPython: boolean;
}

const packageRoot = fileURLToPath(new URL('../../../../', import.meta.url));
const pythonPeer = join(packageRoot, 'scripts/bench/channels/peer.py');
const nodePeer = fileURLToPath(new URL('peer.js', import.meta.url));

export class Contestants {
  readonly #options: ContestantsOptions;
  readonly #pairs = new Map<Contestant, Pair>();

  constructor(options: ContestantsOptions) {
    this.#options = options;
  }

  has(name: Contestant): boolean {
    if (isPython(name)) return this.#options.hasPython;
    return name !== 'bullmq' || this.#options.bullmq !== undefined;
  }

  pair(name: Contestant): Pair {
    let pair = this.#pairs.get(name);
    if (pair === undefined) {
      const sender = this.open(name, this.#options.url);
      const receiver = name === 'memory' ? sender : this.open(name, this.#options.url);
      pair = { name, sender, receiver, isPubSub: /PubSub/i.test(name) };
      this.#pairs.set(name, pair);
    }
    return pair;
  }

  /** Starts one peer, on a Redis of the caller's choice. */
  open(name: Contestant, url: string): Peer {
    const prefix = `bench:${name}:`;
    if (isPython(name)) {
      const layer = name === 'python' ? 'core' : 'pubsub';
      return new Peer(name, python, [pythonPeer, layer, url, prefix]);
    }
    const { directory, bullmq } = this.#options;
    const options: TransportOptions = {
      ...{ kind: name, url, prefix, bullmq },
      path: join(directory, 'channels.db'),
    };
    return new Peer(name, process.execPath, [nodePeer, JSON.stringify(options)]);
  }

  async close(): Promise<void> {
    const pairs = [...this.#pairs.values()];
    await Promise.all(pairs.flatMap(({ sender, receiver }) => [sender.close(), receiver.close()]));
  }
}

function isPython(name: Contestant): name is 'python' | 'pythonPubSub' {
  return name === 'python' || name === 'pythonPubSub';
}
