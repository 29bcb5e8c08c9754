// What can be seen of the memory layer without taking it.

import { copyOf } from '../../message-copy.js';
import { encode } from '../../msgpack.js';
import type { GroupReport, KeyDepth, Peeked } from '../../stats.js';
import type { WaitingQueue } from '../../waiting-queue.js';
import type { Filed } from './filed.js';
import type { Loans } from './loans.js';

export interface MemorySourceOptions {
  readonly boxes: ReadonlyMap<string, WaitingQueue<Filed>>;
  readonly loans: Loans<Filed>;
  /** When each member of a group was last added, in ms since 1970; as far as the memberships have not ended. */
  readonly groups: () => ReadonlyMap<string, ReadonlyMap<string, number>>;
}

export class MemorySource {
  readonly #options: MemorySourceOptions;

  constructor(options: MemorySourceOptions) {
    this.#options = options;
  }

  depths(): KeyDepth[] {
    const { boxes, loans } = this.#options;
    return Array.from(new Set([...boxes.keys(), ...loans.keys()]), (key) => {
      const box = boxes.get(key);
      return {
        key,
        depth: box?.length ?? 0,
        oldestAt: box?.peek()?.sentAt,
        onLease: loans.of(key).length,
      };
    });
  }

  peek(key: string, max: number, onLease: boolean): Peeked[] {
    const { boxes, loans } = this.#options;
    if (!onLease) return (boxes.get(key)?.first(max) ?? []).map((filed) => peeked(filed));
    return loans
      .of(key)
      .sort((a, b) => a.endsAt - b.endsAt)
      .slice(0, max)
      .map(({ item, endsAt }) => peeked(item, endsAt));
  }

  groups(group: string | undefined): GroupReport[] {
    const reports = Array.from(this.#options.groups(), ([name, members]) => ({
      group: name,
      members: Array.from(members, ([channel, renewedAt]) => ({ channel, renewedAt })).sort(
        (a, b) => a.renewedAt - b.renewedAt,
      ),
    }));
    const wanted = group === undefined ? reports : reports.filter((report) => report.group === group);
    return wanted.sort((a, b) => (a.group < b.group ? -1 : 1));
  }
}

function peeked({ channels, message, sentAt, deliveries }: Filed, leaseEndsAt?: number): Peeked {
  const bytes = encode(message).length;
  const common = { channels, message: copyOf(message), bytes, sentAt, deliveries };
  return leaseEndsAt === undefined ? common : { ...common, leaseEndsAt };
}
