// What one turn of the event loop sends to a host, which goes there as one script.

import type { Client, Connection } from './connection.js';

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

/** A group, and what the sender takes for its members. */
export interface GroupGuess {
  readonly key: string;
  /** The score up to which memberships have ended. */
  readonly endedAt: number;
  /** One a line, the oldest first. Empty when Redis completes the parcels' messages with the names of the members. */
  readonly members: string;
  /** What the keys of messages begin with. */
  readonly prefix: string;
}

export interface OutboxOptions {
  readonly commands: Connection;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** `at` is in ms since 1970. */

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
  #gathered: Gathered[] = [];
  #unsent = 0;
  /** The time of the next message at the earliest, in ms. */
  #next = 0;

  constructor({ commands, now }: OutboxOptions) {
    this.#commands = commands;
    this.#now = now;
  }

  /**
   * Sends a parcel of at most `membersPerScript` members. Resolves with how many were accepted: the first so many.
   *
   * @throws LayerUnavailableError; the signal's reason, as long as the parcel was not written to the connection
   */
  send(parcel: Parcel, signal?: AbortSignal): Promise<number> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      this.#gather({ sends: [new Send(parcel, signal, resolve, reject)] });
    });
  }

  /**
   * Sends a parcel to each process of a group, if these are its processes, or its members are those that the sender takes for
   * them: then one round trip is all. Resolves with undefined, or with the members that are, and then nothing was sent.
   *
   * @throws LayerUnavailableError
   */
  sendToGroup(group: GroupGuess, parcels: readonly Parcel[]): Promise<readonly string[] | undefined> {
    return new Promise((resolve, reject) => {
      const sends = parcels.map((parcel) => new Send(parcel, undefined, () => undefined, reject));
      this.#gather({ sends, group: { ...group, resolve, reject } });
    });
  }

  #gather(item: Gathered): void {
    if (this.#gathered.length === 0) process.nextTick(this.#sendGathered);
    this.#gathered.push(item);
  }

  readonly #sendGathered = () => {
    const gathered = this.#gathered;
    this.#gathered = [];
    for (const script of inScripts(gathered)) {
      const sends = this.#admit(script.sends);
      // Half of a group's parcels would be told as all of them.
      if (script.group === undefined || sends.length === script.sends.length)
        void this.#sendScript({ ...script, sends });
    }
  };

  /** While there is no connection only so many may wait for it, so that memory stays bounded. */
  #admit(sends: readonly Send[]): readonly Send[] {
    if (this.#commands.isReady) return sends;
    const room = Math.max(0, maxUnsent - this.#unsent);
    for (const send of sends.slice(room)) send.reject(this.#commands.unavailable(undefined));
    return sends.slice(0, room);
  }

  /** Never rejects: who sends is told. */
  async #sendScript({ sends, group }: Gathered): Promise<void> {
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
      const reply = await this.#commands.run((client) => {
        written();
        parts = byKey(sends.filter((send) => send.write()));
        now = this.#timeFor(parts);
        return parts.length === 0 && group === undefined
          ? Promise.resolve([])
          : deliver(client, parts, now, group);
      });
      if (reply instanceof Members) group?.resolve(reply.channels);
      else {
        this.#settle(parts, reply, now);
        group?.resolve(undefined);
      }
    } catch (error) {
      for (const send of sends) send.reject(error);
      group?.reject(error);
    } finally {
      written();
    }
  }

  #settle(parts: readonly Part[], accepted: readonly number[], now: number): void {
    this.#next = Math.max(this.#next, now + (accepted[parts.length] ?? 0) * microsecondMs);
    for (let i = 0; i < parts.length; i++) parts[i]?.settle(accepted[i] ?? 0);
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
    let members = 0;
    for (const part of parts) members += part.length;
    this.#next = time + members * microsecondMs;
    return time;
  }
}

/** What is to go as one script, as long as there is room in it; what is for a group goes alone. */
interface Gathered {
  readonly sends: readonly Send[];
  readonly group?: GroupSend | undefined;
}

/** A group and who waits for the outcome. */
interface GroupSend extends GroupGuess {
  readonly resolve: (members: readonly string[] | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** The members of a group, since they were not those that the sender took for them. */
class Members {
  readonly channels: readonly string[];

  constructor(channels: readonly string[]) {
    this.channels = channels;
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
  #length = 0;

  constructor({ key, capacity, expiryMs }: Parcel) {
    this.key = key;
    this.#capacity = capacity;
    this.#expiryMs = expiryMs;
  }

  /** How many members. */
  get length(): number {
    return this.#length;
  }

  add(send: Send): void {
    this.#sends.push(send);
    this.#length += send.parcel.members.length;
  }

  addArguments(args: Array<string | number | Buffer>, now: number): void {
    args.push(...[this.#length, this.#capacity, (now - this.#expiryMs) / 1000, Math.ceil(this.#expiryMs)]);
    for (const { parcel } of this.#sends) for (const member of parcel.members) args.push(member);
  }

  /** What was accepted are the first members. */
  settle(accepted: number): void {
    let left = accepted;
    for (const send of this.#sends) {
      const count = Math.min(left, send.parcel.members.length);
      left -= count;
      send.resolve(count);
    }
  }
}

function deliver(
  client: Client,
  parts: readonly Part[],
  now: number,
  group: GroupSend | undefined,
): Promise<readonly number[] | Members> {
  const args: Array<string | number | Buffer> = [];
  if (group !== undefined) args.push(group.key);
  for (const { key } of parts) args.push(key);
  const keyCount = args.length;
  if (group !== undefined) args.push(group.endedAt, group.members, group.prefix);
  args.push(now / 1000);
  for (const part of parts) part.addArguments(args, now);
  if (group === undefined) return client.deliver(keyCount, ...args);
  return client
    .deliverToGroup(keyCount, ...args)
    .then(([isDelivered, found]) => (isDelivered === 1 ? found : new Members(found)));
}

function inScripts(gathered: readonly Gathered[]): readonly Gathered[] {
  // Who awaits each send has one in a turn, with a parcel of no more than one script carries.
  if (gathered.length === 1 && gathered[0]?.sends.length === 1) return gathered;
  const scripts: Gathered[] = [];
  let script: Send[] | undefined;
  let members = 0;
  for (const item of gathered) {
    if (item.group !== undefined) {
      scripts.push(item);
      script = undefined;
      continue;
    }
    for (const send of item.sends) {
      const { length } = send.parcel.members;
      if (script === undefined || members + length > membersPerScript) {
        script = [];
        members = 0;
        scripts.push({ sends: script });
      }
      script.push(send);
      members += length;
    }
  }
  return scripts;
}

/** A key for several channels of one process may come with several capacities. */
function byKey(sends: readonly Send[]): Part[] {
  const [first] = sends;
  if (first === undefined) return [];
  if (sends.length === 1) {
    const part = new Part(first.parcel);
    part.add(first);
    return [part];
  }
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
