// What one turn of the event loop sends to a host, which goes there as one script.

import type { Connection } from './connection.js';

/** Members for one key, in their order. */
export interface Parcel {
  readonly key: string;
  /** The message key of the channel: the key without the layer's prefix. */
  readonly channel: string;
  readonly members: readonly Buffer[];
  /** How many members may lie under the key. */
  readonly capacity: number;
  readonly expiryMs: number;
}

export interface OutboxOptions {
  readonly commands: Connection;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Told of every parcel that Redis has judged, when it was written and how many of its members were accepted. */
  readonly onJudged?: OnJudged | undefined;
}

/** `at` is in ms since 1970. */
export type OnJudged = (parcel: Parcel, accepted: number, at: number) => void;

/** How many members one script carries, so that it does not keep Redis from others for long. */
export const membersPerScript = 1000;
const microsecondMs = 0.001;
/** As in the script: beyond a second the clock decides. */
const longestDriftMs = 1000;
/** So many parcels may wait for a connection; more are refused at once. */
const maxUnsent = 1000;

/**
 * Gathers parcels until the end of the turn. A sender that awaits each send gets a script for each; fifty that send
 * at once share one, with one round trip and one look at the key's length.
 */
export class Outbox {
  readonly #commands: Connection;
  readonly #now: () => number;
  readonly #onJudged: OnJudged | undefined;
  #gathered: Send[] = [];
  #unsent = 0;
  /** The time of the next message at the earliest, in ms. */
  #next = 0;

  constructor({ commands, now, onJudged }: OutboxOptions) {
    this.#commands = commands;
    this.#now = now;
    this.#onJudged = onJudged;
  }

  /**
   * Sends a parcel of at most `membersPerScript` members. Resolves with how many were accepted: the first so many.
   *
   * @throws LayerUnavailableError; the signal's reason, as long as the parcel was not written to the connection
   */
  send(parcel: Parcel, signal?: AbortSignal): Promise<number> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      if (this.#gathered.length === 0) process.nextTick(this.#sendGathered);
      this.#gathered.push(new Send(parcel, signal, resolve, reject));
    });
  }

  readonly #sendGathered = () => {
    const gathered = this.#gathered;
    this.#gathered = [];
    for (const sends of inScripts(gathered)) void this.#sendScript(this.#admit(sends));
  };

  /** While there is no connection only so many may wait for it, so that memory stays bounded. */
  #admit(sends: readonly Send[]): readonly Send[] {
    if (this.#commands.isReady) return sends;
    const room = Math.max(0, maxUnsent - this.#unsent);
    for (const send of sends.slice(room)) send.reject(this.#commands.unavailable(undefined));
    return sends.slice(0, room);
  }

  /** Never rejects: who sends is told. */
  async #sendScript(sends: readonly Send[]): Promise<void> {
    let unsent = sends.length;
    const written = () => {
      this.#unsent -= unsent;
      unsent = 0;
    };
    this.#unsent += unsent;
    // Those who called off while there was no connection yet are not in it.
    let parts: Part[] = [];
    let now = 0;
    try {
      const reply = this.#commands.run((client) => {
        written();
        parts = byKey(sends.filter((send) => send.write()));
        now = this.#timeFor(parts);
        const keys = parts.map(({ key }) => key);
        return parts.length === 0
          ? Promise.resolve([])
          : client.deliver(keys.length, ...keys, now / 1000, ...parts.flatMap((part) => part.arguments(now)));
      });
      const accepted = await reply;
      this.#next = Math.max(this.#next, now + (accepted[parts.length] ?? 0) * microsecondMs);
      for (const [i, part] of parts.entries()) part.settle(accepted[i] ?? 0, now, this.#onJudged);
    } catch (error) {
      for (const send of sends) send.reject(error);
    } finally {
      written();
    }
  }

  /**
   * The script counts up from the last message under a key; when that was taken just now, and comes back, it must not
   * find itself behind what was sent in the same millisecond, nor behind what followed when another sender's clock is
   * a little ahead. A clock that was set back by more counts again.
   */
  #timeFor(parts: readonly Part[]): number {
    const now = this.#now();
    const isClose = this.#next > now && this.#next < now + longestDriftMs;
    const time = isClose ? this.#next : now;
    const members = parts.reduce((sum, part) => sum + part.length, 0);
    this.#next = time + members * microsecondMs;
    return time;
  }
}

/** A parcel and who waits for its outcome. */
class Send {
  readonly parcel: Parcel;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (accepted: number) => void;
  readonly #reject: (error: unknown) => void;
  readonly #onAbort = () => this.reject(this.#signal?.reason);
  #isOver = false;

  constructor(
    parcel: Parcel,
    signal: AbortSignal | undefined,
    resolve: (accepted: number) => void,
    reject: (error: unknown) => void,
  ) {
    this.parcel = parcel;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    signal?.addEventListener('abort', this.#onAbort);
  }

  /** From now on it cannot be called off; false when it was. */
  write(): boolean {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    return !this.#isOver;
  }

  resolve(accepted: number): void {
    this.#resolve(accepted);
  }

  reject(error: unknown): void {
    this.#isOver = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#reject(error);
  }
}

/** All of a script that goes under one key. */
class Part {
  readonly key: string;
  readonly #capacity: number;
  readonly #expiryMs: number;
  readonly #sends: Send[] = [];

  constructor({ key, capacity, expiryMs }: Parcel) {
    this.key = key;
    this.#capacity = capacity;
    this.#expiryMs = expiryMs;
  }

  /** How many members. */
  get length(): number {
    return this.#sends.reduce((sum, { parcel }) => sum + parcel.members.length, 0);
  }

  add(send: Send): void {
    this.#sends.push(send);
  }

  arguments(now: number): Array<Buffer | number> {
    const members = this.#sends.flatMap(({ parcel }) => parcel.members);
    const expired = (now - this.#expiryMs) / 1000;
    return [members.length, this.#capacity, expired, Math.ceil(this.#expiryMs), ...members];
  }

  /** What was accepted are the first members. */
  settle(accepted: number, at: number, onJudged: OnJudged | undefined): void {
    let left = accepted;
    for (const send of this.#sends) {
      const count = Math.min(left, send.parcel.members.length);
      left -= count;
      onJudged?.(send.parcel, count, at);
      send.resolve(count);
    }
  }
}

function inScripts(sends: readonly Send[]): Send[][] {
  const scripts: Send[][] = [];
  let script: Send[] = [];
  let members = 0;
  for (const send of sends) {
    const { length } = send.parcel.members;
    if (script.length === 0 || members + length > membersPerScript) {
      script = [];
      members = 0;
      scripts.push(script);
    }
    script.push(send);
    members += length;
  }
  return scripts;
}

/** A key for several channels of one process may come with several capacities. */
function byKey(sends: readonly Send[]): Part[] {
  const parts = new Map<string, Part>();
  for (const send of sends) {
    const { key, capacity } = send.parcel;
    const name = `${capacity} ${key}`;
    let part = parts.get(name);
    if (part === undefined) {
      part = new Part(send.parcel);
      parts.set(name, part);
    }
    part.add(send);
  }
  return Array.from(parts.values());
}
