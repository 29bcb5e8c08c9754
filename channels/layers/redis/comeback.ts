// Messages on lease that are to come again, for those who receive without a lease.
//
// Who takes on lease looks after what is over by itself (lease-reader.ts). Others block on a channel's keys, one of
// which is for what comes again; so that it gets there although nobody leases any more, they look now and then.

import type { Connection } from './connection.js';
import type { LeaseKeys } from './lease-keys.js';
import type { Presence } from './presence.js';

const lookEveryMs = 15_000;

export interface ComebackOptions {
  readonly keys: LeaseKeys;
  readonly commands: Connection;
  readonly presence: Presence;
  /** Milliseconds for which a message waits after the end of its lease. */
  readonly expiryMs: number;
  readonly onExpired: (count: number) => void;
}

/** Watches the leases of one channel while somebody receives on it without one. */
export class Comeback {
  readonly #options: ComebackOptions;
  #nextLookAt = 0;

  constructor(options: ComebackOptions) {
    this.#options = options;
  }

  /** Looks if it is time to. Called often; costs a part of a command every quarter of a minute. */
  lookWhenDue(): void {
    if (performance.now() < this.#nextLookAt) return;
    const { presence, keys } = this.#options;
    this.#look(() => presence.mayBeThere(keys.lease));
  }

  #look(isWorthIt: () => Promise<boolean>): void {
    this.#nextLookAt = performance.now() + lookEveryMs;
    this.#moveWhatIsOver(isWorthIt).catch(() => {
      // Without Redis there is nothing to see. What was missed is seen a quarter of a minute later.
    });
  }

  async #moveWhatIsOver(isWorthIt: () => Promise<boolean>): Promise<void> {
    if (!(await isWorthIt())) return;
    const { keys, commands, expiryMs } = this.#options;
    const [expired, nextMs] = await commands.run((client) =>
      client.comeAgain(3, keys.again, keys.lease, keys.leased, expiryMs),
    );
    this.#note(expired, nextMs);
  }

  #note(expired: number, nextMs: number): void {
    if (expired > 0) this.#options.onExpired(expired);
    if (nextMs < 0 || nextMs >= lookEveryMs) return;
    // Nothing waits for this timer: who waits has a blocked read.
    setTimeout(() => this.#look(async () => true), nextMs + 1).unref();
  }
}
