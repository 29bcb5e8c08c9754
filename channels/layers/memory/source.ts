// What the X-ray sees of the memory layer.

import { copyOf } from '../../message-copy.js';
import { encode } from '../../msgpack.js';
import type { WaitingQueue } from '../../waiting-queue.js';
import { LocalBoard } from '../../xray/local-board.js';
import type { Depth, LeftEvents, Look, ProcessRecord, Report, XraySource } from '../../xray/source.js';
import { formatId, type GroupReport, type Peeked } from '../../xray.js';
import { type Filed, high, low } from './filed.js';
import type { Loans } from './loans.js';

export interface MemorySourceOptions {
  readonly boxes: ReadonlyMap<string, WaitingQueue<Filed>>;
  readonly loans: Loans<Filed>;
  /** When each member of a group was last added, in ms since 1970; as far as the memberships have not ended. */
  readonly groups: () => ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class MemorySource implements XraySource {
  readonly isShared = false;
  readonly hasIds = true;
  readonly #options: MemorySourceOptions;
  readonly #board: LocalBoard;

  constructor(options: MemorySourceOptions) {
    this.#options = options;
    this.#board = new LocalBoard(options.now);
  }

  async look(): Promise<Look> {
    const { boxes, loans } = this.#options;
    const depths = new Map<string, Depth>();
    for (const key of new Set([...boxes.keys(), ...loans.keys()])) {
      const box = boxes.get(key);
      const onLease = loans.of(key).length;
      const depth = box?.length ?? 0;
      if (depth + onLease > 0) depths.set(key, { depth, onLease, oldestAt: box?.peek()?.sentAt });
    }
    return { depths, counts: this.#board.counts(), processes: this.#board.processes() };
  }

  async peek(key: string, max: number, onLease: boolean): Promise<Peeked[]> {
    const { boxes, loans } = this.#options;
    if (!onLease) return (boxes.get(key)?.first(max) ?? []).map((filed) => peeked(filed));
    return loans
      .of(key)
      .sort((a, b) => a.endsAt - b.endsAt)
      .slice(0, max)
      .map(({ item, endsAt }) => peeked(item, endsAt));
  }

  async groups(group: string | undefined): Promise<GroupReport[]> {
    const reports = Array.from(this.#options.groups(), ([name, members]) => ({
      group: name,
      members: Array.from(members, ([channel, renewedAt]) => ({ channel, renewedAt })).sort(
        (a, b) => a.renewedAt - b.renewedAt,
      ),
    }));
    return group === undefined ? reports : reports.filter((report) => report.group === group);
  }

  async publish(report: Report): Promise<boolean> {
    this.#board.put(report);
    return false;
  }

  async askForEvents(): Promise<() => Promise<readonly ProcessRecord[]>> {
    return async () => [];
  }

  /** What this process remembers it need not leave. */
  async leftEvents(): Promise<readonly LeftEvents[]> {
    return [];
  }

  /** Forgets the counts. */
  clear(): void {
    this.#board.clear();
  }
}

function peeked(filed: Filed, leaseEndsAt?: number): Peeked {
  const { channels, sentAt, deliveries } = filed;
  const id = formatId(high(filed), low(filed));
  const message = copyOf(filed.message);
  const common = { id, channels, message, bytes: encode(message).length, sentAt, deliveries };
  return leaseEndsAt === undefined ? common : { ...common, leaseEndsAt };
}
