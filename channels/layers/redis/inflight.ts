// Messages that Python peers left behind.
//
// A Python receiver keeps what it has just popped in `KEY$inflight` until it hands it over, a matter of milliseconds;
// when it dies in between, the message stays there. Nothing in the entry tells a dead receiver's from a live one's. So
// we look twice, half a minute apart, and move back what lay there both times. We never put anything there ourselves.
//
// Source: docs/wire.md section 4, W1 and W2.

import type { Connection } from './connection.js';
import type { Wanted } from './waiting.js';

const lookEveryMs = 30_000;
/** Index of the last entry that is looked at. */
const lastLookedAt = '99';

/** Watches the backups of the general channels on which somebody waits on one host. */
export class InflightWatch {
  readonly #commands: Connection;
  readonly #monotonicMs: () => number;
  #nextLookAt = 0;
  /** What was found by the last look, by key. */
  #seen = new Map<string, ReadonlySet<string>>();

  constructor(commands: Connection, monotonicMs: () => number = () => performance.now()) {
    this.#commands = commands;
    this.#monotonicMs = monotonicMs;
  }

  /** Looks if it is time to; called often. Without Redis there is nothing to see. */
  lookWhenDue(channels: ReadonlyArray<Pick<Wanted, 'keys' | 'expiryMs'>>): void {
    const now = this.#monotonicMs();
    if (now < this.#nextLookAt) return;
    this.#nextLookAt = now + lookEveryMs;
    this.look(channels).catch(() => undefined);
  }

  async look(channels: ReadonlyArray<Pick<Wanted, 'keys' | 'expiryMs'>>): Promise<void> {
    const general = channels.filter(({ keys }) => keys.again !== undefined);
    const found = new Map<string, ReadonlySet<string>>();
    const backups = general.map(({ keys }) => backupOf(keys.messages));
    const isAny = backups.length > 0 && (await this.#commands.run((client) => client.exists(...backups))) > 0;
    for (const { keys, expiryMs } of isAny ? general : []) {
      const key = keys.messages;
      const members = await this.#commands.run((client) =>
        client.zrangeBuffer(backupOf(key), 0, lastLookedAt),
      );
      const abandoned = members.filter((member) => this.#seen.get(key)?.has(member.toString('latin1')));
      if (abandoned.length > 0)
        await this.#commands.run((client) => client.restore(2, key, backupOf(key), expiryMs, ...abandoned));
      found.set(key, new Set(members.map((member) => member.toString('latin1'))));
    }
    this.#seen = found;
  }
}

function backupOf(key: string): string {
  return `${key}$inflight`;
}
