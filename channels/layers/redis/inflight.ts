// Recovers messages that crashed Python peers left behind.
//
// A Python receiver keeps a popped message in `KEY$inflight` for some milliseconds. If it dies then, the
// message stays there. An entry does not show whether its receiver is alive. So this code reads the list
// twice, half a minute apart, and moves back what was there both times. It adds nothing to the list.
//
// Source: docs/reference/wire.md section 4, W1 and W2.

import type { Connection } from './connection/connection.js';

const lookEveryMs = 30_000;
/** The index of the last entry that is read. */
const lastLookedAt = '99';

/** Watches the backup list of one general channel on one host. */
export class InflightWatch {
  readonly #commands: Connection;
  readonly #key: string;
  readonly #expiryMs: number;
  #nextLookAt = 0;
  /** The entries of the last poll. */
  #seen: ReadonlySet<string> = new Set();

  constructor(commands: Connection, key: string, expiryMs: number) {
    this.#commands = commands;
    this.#key = key;
    this.#expiryMs = expiryMs;
  }

  /** Polls if it is time. Callers call it often. */
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
