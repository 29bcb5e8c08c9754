// Reads the memory layer without taking messages.

import { copyOf } from '../../codec/message-copy.js';
import { encode } from '../../codec/msgpack.js';
import type { GroupReport, KeyDepth, Peeked } from '../../stats.js';
import type { StoreView } from '../base-layer.js';
import type { MemoryLeases } from './leases.js';
import type { MemoryStore, StoredMessage } from './store.js';

export class MemoryStats implements StoreView {
  readonly #store: MemoryStore;
  readonly #leases: MemoryLeases;

  constructor(store: MemoryStore, leases: MemoryLeases) {
    this.#store = store;
    this.#leases = leases;
  }

  depths(): KeyDepth[] {
    const keys = new Set([...this.#store.keys(), ...this.#leases.keys()]);
    return Array.from(keys, (key) => {
      const waiting = this.#store.first(key);
      const onLease = this.#leases.onLease(key).length;
      return { key, depth: waiting.length, oldestAt: waiting[0]?.sentAt, onLease };
    });
  }

  peek(key: string, max: number, onLease: boolean): Peeked[] {
    if (!onLease) return this.#store.first(key, max).map((stored) => peeked(stored));
    return this.#leases
      .onLease(key)
      .sort((a, b) => a.endsAt - b.endsAt)
      .slice(0, max)
      .map(({ stored, endsAt }) => peeked(stored, endsAt));
  }

  groups(group: string | undefined): GroupReport[] {
    const reports = Array.from(this.#store.groups(), ([name, members]) => ({
      group: name,
      members: Array.from(members, ([channel, renewedAt]) => ({ channel, renewedAt })).sort(
        (a, b) => a.renewedAt - b.renewedAt,
      ),
    }));
    const wanted = group === undefined ? reports : reports.filter((report) => report.group === group);
    return wanted.sort((a, b) => (a.group < b.group ? -1 : 1));
  }
}

function peeked({ channels, message, sentAt, deliveries }: StoredMessage, leaseEndsAt?: number): Peeked {
  const bytes = encode(message).length;
  const common = { channels, message: copyOf(message), bytes, sentAt, deliveries };
  return leaseEndsAt === undefined ? common : { ...common, leaseEndsAt };
}
