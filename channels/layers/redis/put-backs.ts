// Entries that were taken, and that nobody wants any more, go back to where they were: each once.
//
// When the reply is lost, nobody here knows whether they are back, and another receiver may have them already. So they
// are not handed out here any more, but put back again until Redis answers; it has noted under the put-back's id whether
// that was done, for as long as the messages are good.

import { randomBytes } from 'node:crypto';
import { LayerUnavailableError, type UnavailableReason } from '../../errors.js';
import type { Entry } from './blocking-reads.js';
import type { Host } from './host.js';

/** An entry, what was read from it, and where it was. */
export interface Taken<T> {
  readonly entry: Entry;
  readonly value: T;
  readonly host: Host;
}

interface PutBack<T> {
  readonly host: Host;
  readonly key: string;
  /** Under which Redis notes that it was done. A `:` is in no channel's name, so it is no channel's key. */
  readonly note: string;
  readonly taken: readonly Taken<T>[];
  /** Whether Redis may have done it. */
  isSent: boolean;
}

/** After these answers it was not done, now or earlier; the others may be another server's than that which did it. */
const denials: ReadonlySet<UnavailableReason> = new Set(['out-of-memory', 'refused']);

export class PutBacks<T> {
  readonly #ttlMs: number;
  /** Those of which it is not known whether they were done. */
  #open: PutBack<T>[] = [];

  /** @param ttlMs that an entry gives to a key without one, and for which it is noted what was done */
  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /** Whether something is to be tried again; with a host, whether there. */
  areOpen(host?: Host): boolean {
    return host === undefined ? this.#open.length > 0 : this.#open.some((open) => open.host === host);
  }

  /** Tries what is open, and puts these back, too. Returns what is not back for certain. Never rejects. */
  async attempt(taken: readonly Taken<T>[]): Promise<Taken<T>[]> {
    const putBacks = [...this.#open, ...byPlace(taken)];
    this.#open = [];
    const refused: Taken<T>[] = [];
    for (const putBack of putBacks) {
      try {
        await this.#putBack(putBack);
      } catch (error) {
        if (putBack.isSent && !isDenied(error)) this.#open.push(putBack);
        else refused.push(...putBack.taken);
      }
    }
    return refused;
  }

  async #putBack(putBack: PutBack<T>): Promise<void> {
    const { host, key, note, taken } = putBack;
    const pairs = taken.flatMap(({ entry }) => [entry.score, entry.member]);
    await host.commands.run((client) => {
      putBack.isSent = true;
      return client.putBack(2, key, note, this.#ttlMs, ...pairs);
    });
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof LayerUnavailableError && denials.has(error.reason);
}

/** By the hosts and keys where they were. */
function byPlace<T>(taken: readonly Taken<T>[]): PutBack<T>[] {
  const places = new Map<Host, Map<string, Taken<T>[]>>();
  for (const each of taken) {
    const { host, entry } = each;
    const keys = places.get(host) ?? new Map<string, Taken<T>[]>();
    places.set(host, keys);
    const there = keys.get(entry.key);
    if (there === undefined) keys.set(entry.key, [each]);
    else there.push(each);
  }
  return Array.from(places, ([host, keys]) =>
    Array.from(keys, ([key, taken]) => {
      const note = `${key}:returned:${randomBytes(8).toString('hex')}`;
      return { host, key, note, taken, isSent: false };
    }),
  ).flat();
}
