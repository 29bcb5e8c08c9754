// Messages that Python peers left behind.
//
// A Python receiver keeps what it has just popped in `KEY$inflight` until it hands it over, a matter of
// milliseconds; when it dies in between, the message stays there until some Python process receives on that channel.
// Nothing in the entry tells a dead receiver's from a live one's: the score is the time of sending. So we look twice,
// half a minute apart, and move back only what lay there both times. We never put anything there ourselves.
//
// Source: docs/wire.md section 4, W1 and W2.

import type { Connection } from './connection.js';
import type { Presence } from './presence.js';

const lookEveryMs = 30_000;
/** Index of the last entry that is looked at. */
const lastLookedAt = '99';

export interface InflightWatchOptions {
  readonly key: string;
  readonly commands: Connection;
  readonly presence: Presence;
  /** The TTL that an entry which is moved back gives to a key without one. */
  readonly ttlMs: number;
  readonly monotonicMs?: (() => number) | undefined;
}

/** Watches the backup of one general channel's key while somebody receives on it. */
export class InflightWatch {
  readonly #key: string;
  readonly #ttlMs: number;
  readonly #commands: Connection;
  readonly #presence: Presence;
  readonly #monotonicMs: () => number;
  #nextLookAt = 0;
  #seen = new Set<string>();

  constructor(options: InflightWatchOptions) {
    this.#key = options.key;
    this.#ttlMs = options.ttlMs;
    this.#commands = options.commands;
    this.#presence = options.presence;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
  }

  /** Looks if it is time to. Called often; costs a part of a command every half minute. */
  lookWhenDue(): void {
    const now = this.#monotonicMs();
    if (now < this.#nextLookAt) return;
    this.#nextLookAt = now + lookEveryMs;
    this.#look().catch(() => {
      // Without Redis there is nothing to see. What was missed is seen half a minute later.
    });
  }

  async #look(): Promise<void> {
    const backup = `${this.#key}$inflight`;
    if (!(await this.#presence.mayBeThere(backup))) {
      this.#seen.clear();
      return;
    }
    const members = await this.#commands.run((client) => client.zrangeBuffer(backup, 0, lastLookedAt));
    const abandoned = members.filter((member) => this.#seen.has(member.toString('latin1')));
    this.#seen = new Set(members.map((member) => member.toString('latin1')));
    if (abandoned.length === 0) return;
    await this.#commands.run((client) => client.restore(2, this.#key, backup, this.#ttlMs, ...abandoned));
  }
}
