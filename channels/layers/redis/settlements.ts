// What receivers say of their leases in one turn of the event loop, which goes to the host as one script for each kind
// and channel.

import type { Client, Connection } from './connection.js';
import type { LeaseKeys } from './lease-keys.js';

/** Names one handing-out of one message. */
export interface LeaseId {
  readonly keys: LeaseKeys;
  readonly id: Buffer;
  /** Milliseconds for which the message waits after the end of its lease. */
  readonly expiryMs: number;
}

interface Call {
  readonly id: Buffer;
  /** What goes with the id. */
  readonly operand: number;
  readonly resolve: (isInTime: boolean) => void;
  readonly reject: (error: unknown) => void;
}

type Kind = 'ack' | 'extend' | 'release';

interface Batch {
  readonly kind: Kind;
  readonly lease: LeaseId;
  readonly calls: Call[];
}

/** Each call resolves with whether the lease was still the receiver's. */
export class Settlements {
  readonly #commands: Connection;
  #gathered = new Map<string, Batch>();

  constructor(commands: Connection) {
    this.#commands = commands;
  }

  /** @throws LayerUnavailableError */
  ack(lease: LeaseId): Promise<boolean> {
    return this.#add('ack', lease, 0);
  }

  /** @throws LayerUnavailableError */
  extend(lease: LeaseId, leaseMs: number): Promise<boolean> {
    return this.#add('extend', lease, leaseMs);
  }

  /** @throws LayerUnavailableError */
  release(lease: LeaseId, untried: boolean): Promise<boolean> {
    return this.#add('release', lease, untried ? 1 : 0);
  }

  #add(kind: Kind, lease: LeaseId, operand: number): Promise<boolean> {
    if (this.#gathered.size === 0) process.nextTick(this.#sendGathered);
    const name = `${kind} ${lease.keys.channel}`;
    let batch = this.#gathered.get(name);
    if (batch === undefined) {
      batch = { kind, lease, calls: [] };
      this.#gathered.set(name, batch);
    }
    const { calls } = batch;
    return new Promise((resolve, reject) => calls.push({ id: lease.id, operand, resolve, reject }));
  }

  readonly #sendGathered = () => {
    const gathered = this.#gathered;
    this.#gathered = new Map();
    for (const batch of gathered.values()) void this.#send(batch);
  };

  /** Never rejects: the callers are told. */
  async #send(batch: Batch): Promise<void> {
    try {
      const done = await this.#commands.run((client) => run(client, batch));
      for (const [i, call] of batch.calls.entries()) call.resolve(done[i] === 1);
    } catch (error) {
      for (const call of batch.calls) call.reject(error);
    }
  }
}

function run(client: Client, { kind, lease, calls }: Batch): Promise<number[]> {
  const { keys, expiryMs } = lease;
  if (kind === 'ack') return client.acknowledge(2, keys.lease, keys.leased, ...calls.map(({ id }) => id));
  const operands = calls.flatMap(({ id, operand }) => [id, operand]);
  return kind === 'extend'
    ? client.extend(2, keys.lease, keys.leased, expiryMs, ...operands)
    : client.release(3, keys.again, keys.lease, keys.leased, expiryMs, ...operands);
}
