// The leases of the memory layer. Each has a timer that puts its message back.

import { copyAsSent, copyOf } from '../../codec/message-copy.js';
import {
  type DeadLetterReport,
  deadLetter,
  deadLetterChannel,
  deadLetterReport,
  deadLetterSuffix,
  isDeadLetterChannel,
  type Leased,
  LeasedMessage,
  type LeaseKeeper,
  type Leases,
} from '../../leases.js';
import type { LayerRules } from '../base-layer.js';
import type { MemoryStore, StoredMessage } from './store.js';

/** One delivery of a message. */
interface Loan {
  readonly key: string;
  readonly stored: StoredMessage;
  /** Milliseconds since 1970. */
  endsAt: number;
  timer: NodeJS.Timeout | undefined;
}

export class MemoryLeases implements Leases {
  readonly #rules: LayerRules;
  readonly #store: MemoryStore;
  readonly #loans = new Set<Loan>();
  readonly #keeper: LeaseKeeper<Loan>;

  /** @param refuseWhenClosed throws when the layer is closed */
  constructor(rules: LayerRules, store: MemoryStore, refuseWhenClosed: () => void) {
    this.#rules = rules;
    this.#store = store;
    const whileOpen =
      <A extends unknown[]>(work: (...args: A) => boolean) =>
      async (...args: A): Promise<boolean> => {
        refuseWhenClosed();
        return work(...args);
      };
    this.#keeper = {
      ack: whileOpen((loan) => this.#end(loan)),
      extend: whileOpen((loan, leaseMs) => this.#end(loan) && this.#begin(loan, leaseMs)),
      release: whileOpen((loan, untried) => this.#release(loan, untried)),
    };
  }

  async receive(channel: string, max: number, leaseMs: number, signal?: AbortSignal): Promise<Leased[]> {
    const taken = await this.#store.take(channel, max, signal);
    return taken.map((each) => {
      const stored = { ...each, deliveries: each.deliveries + 1 };
      const loan: Loan = { key: channel, stored, endsAt: 0, timer: undefined };
      this.#begin(loan, leaseMs);
      const { deliveries } = stored;
      return new LeasedMessage(this.#keeper, loan, { channel, message: copyOf(stored.message), deliveries });
    });
  }

  async deadLetters(channel: string | undefined, max: number): Promise<DeadLetterReport[]> {
    const keys = channel === undefined ? this.#store.keys() : [deadLetterChannel(channel)];
    const reports = keys
      .filter(isDeadLetterChannel)
      .flatMap((key) => this.#store.first(key).flatMap((stored) => reportOf(key, stored)));
    return reports.sort((a, b) => a.diedAt - b.diedAt).slice(0, max);
  }

  async redrive(channel: string, ids: readonly string[] | undefined): Promise<number> {
    const key = deadLetterChannel(channel);
    const redriven = this.#store.remove(key, (stored) => {
      const [report] = reportOf(key, stored);
      const isChosen = report !== undefined && (ids?.includes(report.id) ?? true);
      if (!isChosen || !this.#store.hasRoom(channel)) return false;
      this.#store.put(channel, [channel], report.message);
      return true;
    });
    return redriven.length;
  }

  /** The leased messages of a key. */
  onLease(key: string): Array<Pick<Loan, 'stored' | 'endsAt'>> {
    return [...this.#loans].filter((loan) => loan.key === key);
  }

  /** The keys that have leased messages. */
  keys(): string[] {
    return Array.from(this.#loans, ({ key }) => key);
  }

  /** Ends all leases and drops their messages. */
  clear(): void {
    for (const loan of this.#loans) this.#end(loan);
  }

  #begin(loan: Loan, leaseMs: number): true {
    loan.endsAt = this.#rules.now() + leaseMs;
    loan.timer = setTimeout(() => this.#onOver(loan), leaseMs);
    this.#loans.add(loan);
    return true;
  }

  #release(loan: Loan, untried: boolean): boolean {
    if (!this.#end(loan)) return false;
    const { deliveries } = loan.stored;
    this.#takeBack(loan.key, { ...loan.stored, deliveries: untried ? deliveries - 1 : deliveries });
    return true;
  }

  /** Returns false if the lease is already over. */
  #end(loan: Loan): boolean {
    clearTimeout(loan.timer);
    return this.#loans.delete(loan);
  }

  #onOver(loan: Loan): void {
    if (this.#end(loan)) this.#takeBack(loan.key, loan.stored);
  }

  /** Puts an unacknowledged message back in its position, or makes a dead letter of it. */
  #takeBack(key: string, stored: StoredMessage): void {
    if (stored.deliveries >= this.#rules.maxDeliveries && !isDeadLetterChannel(key)) this.#bury(key, stored);
    else this.#store.putBack(key, { ...stored, expiresAt: this.#rules.now() + this.#rules.expiryMsOf(key) });
  }

  #bury(channel: string, { message, deliveries }: StoredMessage): void {
    const key = deadLetterChannel(channel);
    this.#store.dropOldestIfFull(key);
    this.#store.put(key, [key], copyAsSent(deadLetter(channel, message, deliveries)));
    this.#rules.onDrop?.({ channel, reason: 'dead' });
  }
}

function reportOf(deadKey: string, { number, message, sentAt }: StoredMessage): DeadLetterReport[] {
  const channel = deadKey.slice(0, -deadLetterSuffix.length);
  return deadLetterReport(channel, copyOf(message), { id: String(number), diedAt: sentAt });
}
