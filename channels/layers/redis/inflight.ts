// Messages that Python peers left behind.
//
// A Python receiver keeps what it has just popped in `KEY$inflight` until it hands it over, a matter of milliseconds;
// when it dies in between, the message stays there. Nothing in the entry tells a dead receiver's from a live one's. So
// we look twice, half a minute apart, and move back what lay there both times. We never put anything there ourselves.
//
// Source: docs/reference/wire.md section 4, W1 and W2.

import type { Connection } from './connection/connection.js';

const lookEveryMs = 30_000;
/** Index of the last entry that is looked at. */
const lastLookedAt = '99';

/** Watches the backup of one general channel on one host. */
export class InflightWatch {
  readonly #commands: Connection;
  readonly #key: string;
  readonly #expiryMs: number;
  #nextLookAt = 0;
  /** What was found by the last look. */
  #seen: ReadonlySet<string> = new Set();

  constructor(commands: Connection, key: string, expiryMs: number) {
    this.#commands = commands;
    this.#key = key;
    this.#expiryMs = expiryMs;
  }

  /** Looks if it is time to; called often. Without Redis there is nothing to see. */
  lookWhenDue(): void {
    const now = performance.now();
    if (now < this.#nextLookAt) return;
    this.#nextLookAt = now + lookEveryMs;
    this.look().catch(() => undefined);
  }

  async look(): Promise<void> {
    const backup = `${this.#key}$inflight`;
    const members = await this.#commands.run((client) => client.zrangeBuffer(backup, 0, lastLookedAt));
    const abandoned = members.filter((member) => this.#seen.has(member.toString('latin1')));
    if (abandoned.length > 0)
      await this.#commands.run((client) =>
        client.restore(2, this.#key, backup, this.#expiryMs, ...abandoned),
      );
    this.#seen = new Set(members.map((member) => member.toString('latin1')));
  }
}
