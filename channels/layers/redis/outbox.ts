// How messages go to a host: one script for those of one call.

import type { Connection } from './connection.js';

/** Members for one key, in their order. */
export interface Parcel {
  readonly key: string;
  readonly members: readonly Buffer[];
  /** How many members may lie under the key. */
  readonly capacity: number;
  readonly expiryMs: number;
}

/** How many members one script carries, so that it does not keep Redis from others for long. */
export const membersPerScript = 1000;
const microsecondMs = 0.001;
/** As in the script: beyond a second the clock decides. */
const longestDriftMs = 1000;

export class Outbox {
  readonly #commands: Connection;
  readonly #now: () => number;
  /** The time of the next message at the earliest, in ms. */
  #next = 0;

  /** @param now milliseconds since 1970 */
  constructor(commands: Connection, now: () => number) {
    this.#commands = commands;
    this.#now = now;
  }

  /**
   * Sends parcels of at most `membersPerScript` members together. Resolves with how many of each were accepted: the
   * first so many.
   *
   * @throws LayerUnavailableError; the signal's reason, as long as nothing was written to the connection
   */
  async send(parcels: readonly Parcel[], signal?: AbortSignal): Promise<number[]> {
    const count = parcels.reduce((sum, { members }) => sum + members.length, 0);
    let now = 0;
    const reply = await this.#commands.run((client) => {
      now = this.#timeFor(count);
      const args: Array<string | number | Buffer> = parcels.map(({ key }) => key);
      args.push(now / 1000);
      for (const { members, capacity, expiryMs } of parcels)
        args.push(members.length, capacity, (now - expiryMs) / 1000, Math.ceil(expiryMs), ...members);
      return client.deliver(parcels.length, ...args);
    }, signal);
    this.#next = Math.max(this.#next, now + (reply[parcels.length] ?? 0) * microsecondMs);
    return reply;
  }

  /**
   * The script counts up from the last message under a key; when that was taken just now, and comes back, it must not
   * find itself behind what was sent in the same millisecond, nor behind what followed when another sender's clock is
   * a little ahead. A clock that was set back by more counts again.
   */
  #timeFor(count: number): number {
    const now = this.#now();
    const isClose = this.#next > now && this.#next < now + longestDriftMs;
    const time = isClose ? this.#next : now;
    this.#next = time + count * microsecondMs;
    return time;
  }
}
