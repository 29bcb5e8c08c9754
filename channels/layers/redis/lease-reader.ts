// Who takes messages on lease from one channel, for all who wait for that in this process.

import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Bell } from '../../bell.js';
import { LayerUnavailableError } from '../../errors.js';
import { dueAfterMs, type Listening, worstOf } from '../../listening.js';
import type { Host } from './host.js';
import type { LeaseKeys } from './lease-keys.js';
import { entryHeaderBytes } from './lease-scripts.js';
import { isPermanent } from './replies.js';
import type { LeaseId } from './settlements.js';

/** What was handed out. */
export interface LeasedEntry extends LeaseId {
  readonly host: Host;
  readonly member: Buffer;
  readonly deliveries: number;
}

export interface LeaseReaderOptions {
  readonly keys: LeaseKeys;
  readonly hosts: readonly Host[];
  /** Milliseconds since 1970, by the senders' clocks. */
  readonly now: () => number;
  readonly expiryMs: number;
  /** How often a message may be handed out; 0: for ever. */
  readonly maxDeliveries: number;
  readonly onExpired: (count: number) => void;
  /** Told of an entry that was handed out too often; it is on lease until it is buried. */
  readonly bury: (entry: LeasedEntry) => Promise<void>;
}

/** Bounds what one script hands out. */
const entriesPerScript = 500;
/** Instead of the host's `blockMs`, as the net for notices that were lost, where the server does not let itself be watched. */
const pollUnwatchedEveryMs = 250;
const pauseAfterFailureMs = 100;
const longestPauseMs = 2000;
const tokenBytes = 8;

interface Waiter {
  readonly max: number;
  readonly leaseMs: number;
  give(entries: readonly LeasedEntry[]): void;
  fail(error: unknown): void;
}

/** Looks for as long as somebody waits: at once, when a key has changed, and when the next lease is over. */
export class LeaseReader {
  readonly #options: LeaseReaderOptions;
  /** In the order in which they came. */
  readonly #waiters = new Set<Waiter>();
  readonly #changed = new Bell();
  #running: Promise<void> | undefined;
  /** Whether the next change of the channel is told. */
  #isArmed = false;
  #isUnwatchable = false;
  /** When the next lease is over, in ms of this process's clock. */
  #nextOverAt = Number.POSITIVE_INFINITY;
  #firstHost = 0;
  /** Since when somebody has waited without a break, in ms of this process's clock. */
  #waitingSince = 0;
  readonly #heardAt = new Map<Host, number>();
  /** What is told to the hosts besides. */
  readonly #telling = new Set<Promise<void>>();

  constructor(options: LeaseReaderOptions) {
    this.#options = options;
  }

  get busy(): boolean {
    return this.#running !== undefined || this.#telling.size > 0;
  }

  get isWaitedOn(): boolean {
    return this.#waiters.size > 0;
  }

  /** Waits for entries: at least one, at most `max`. An abort rejects with its reason and takes nothing. */
  take(max: number, leaseMs: number, signal?: AbortSignal): Promise<readonly LeasedEntry[]> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const onAbort = () => waiter.fail(signal?.reason);
      const leave = () => {
        signal?.removeEventListener('abort', onAbort);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        max,
        leaseMs,
        give: (entries) => {
          leave();
          resolve(entries);
        },
        fail: (error) => {
          leave();
          reject(error);
          if (this.#waiters.size === 0) this.#changed.ring();
        },
      };
      signal?.addEventListener('abort', onAbort);
      this.#waiters.add(waiter);
      if (this.#running === undefined) {
        this.#waitingSince = performance.now();
        this.#running = this.#serve();
      }
    });
  }

  /** What is known of the host that was silent the longest; undefined while nobody waits. */
  listening(): Listening | undefined {
    if (this.#waiters.size === 0) return undefined;
    const now = performance.now();
    return worstOf(
      this.#options.hosts.map((host) => {
        const heardAt = this.#heardAt.get(host);
        return {
          waitingMs: now - this.#waitingSince,
          heardMsAgo: heardAt === undefined ? null : now - heardAt,
          dueMs: dueAfterMs(host.blockMs, host.replyWithinMs),
        };
      }),
    );
  }

  /** Takes what is there now. @throws LayerUnavailableError */
  async takeNow(max: number, leaseMs: number): Promise<readonly LeasedEntry[]> {
    const found: LeasedEntry[] = [];
    for (const host of this.#options.hosts) {
      found.push(...(await this.#lease(host, Math.min(max - found.length, entriesPerScript), leaseMs)));
      if (found.length >= max) break;
    }
    return found;
  }

  /** Has it look, as after a lease was made shorter. */
  wake(): void {
    this.#isArmed = false;
    this.#changed.ring();
  }

  /** Ends all waits with the error; resolves when nothing is under way any more. */
  async stop(error: Error): Promise<void> {
    for (const waiter of [...this.#waiters]) waiter.fail(error);
    this.#changed.ring();
    await this.#running;
    await Promise.all(this.#telling);
  }

  async #serve(): Promise<void> {
    const { hosts, keys } = this.#options;
    const watched = [keys.messages, keys.again];
    const deaf = hosts.map(({ watch }) => watch.listen(watched, () => this.wake()));
    let failures = 0;
    while (this.#waiters.size > 0) {
      try {
        if (await this.#look()) failures = 0;
        else if (!this.#isArmed) await this.#arm(watched);
        else await this.#wait();
      } catch (error) {
        if (!(error instanceof LayerUnavailableError) || isPermanent(error)) this.#failAll(error);
        else await pause(Math.min(pauseAfterFailureMs * 2 ** failures++, longestPauseMs));
      }
    }
    for (const stop of deaf) stop();
    this.#isArmed = false;
    this.#running = undefined;
  }

  /** Returns whether there was something for somebody. */
  async #look(): Promise<boolean> {
    const { hosts } = this.#options;
    this.#nextOverAt = Number.POSITIVE_INFINITY;
    const from = this.#firstHost++;
    for (let i = 0; i < hosts.length; i++) {
      const host = hosts[(from + i) % hosts.length];
      const [first] = this.#waiters;
      if (host === undefined || first === undefined) return false;
      const wanted = [...this.#waiters].filter(({ leaseMs }) => leaseMs === first.leaseMs);
      const most = wanted.reduce((sum, { max }) => sum + max, 0);
      const entries = await this.#lease(host, Math.min(most, entriesPerScript), first.leaseMs);
      if (entries.length > 0) {
        this.#give([...entries], first.leaseMs);
        return true;
      }
    }
    return false;
  }

  #give(entries: LeasedEntry[], leaseMs: number): void {
    for (const waiter of [...this.#waiters]) {
      if (entries.length === 0) return;
      if (waiter.leaseMs === leaseMs) waiter.give(entries.splice(0, waiter.max));
    }
    // Those who wanted them have gone meanwhile.
    for (const entry of entries) this.#tell(entry.host.settlements.release(entry, true));
  }

  async #lease(host: Host, limit: number, leaseMs: number): Promise<LeasedEntry[]> {
    const { keys, now, expiryMs, maxDeliveries, onExpired, bury } = this.#options;
    const token = randomBytes(tokenBytes);
    const [[expired, nextMs], entries, dead] = await host.commands.run((client) =>
      client.leaseBuffer(
        ...[4, keys.messages, keys.again, keys.lease, keys.leased],
        ...[limit, leaseMs, token, maxDeliveries, expiryMs, (now() - expiryMs) / 1000],
      ),
    );
    this.#heardAt.set(host, performance.now());
    if (expired > 0) onExpired(expired);
    if (nextMs >= 0) this.#nextOverAt = Math.min(this.#nextOverAt, performance.now() + nextMs);
    const read = (entry: Buffer, index: number): LeasedEntry => ({
      ...{ host, keys, expiryMs, id: idOf(token, index) },
      deliveries: entry.readUInt32BE(entryHeaderBytes - 4),
      member: entry.subarray(entryHeaderBytes),
    });
    for (const [i, entry] of dead.entries()) this.#tell(bury(read(entry, entries.length + i)));
    return entries.map(read);
  }

  async #arm(watched: readonly string[]): Promise<void> {
    this.#isArmed = true;
    try {
      for (const { watch } of this.#options.hosts) await watch.arm(watched);
      this.#isUnwatchable = false;
    } catch (error) {
      this.#isArmed = false;
      if (!(error instanceof LayerUnavailableError) || !isRefusal(error)) throw error;
      // A server that knows no tracking, or a user that may not ask for it.
      this.#isUnwatchable = true;
      await this.#wait();
    }
  }

  async #wait(): Promise<void> {
    const over = new AbortController();
    const pollEveryMs = Math.min(...this.#options.hosts.map(({ blockMs }) => blockMs));
    const pollMs = this.#isUnwatchable ? pollUnwatchedEveryMs : pollEveryMs;
    // The server's milliseconds are whole ones, so that the end may be up to one later.
    const overMs = Math.max(0, this.#nextOverAt - performance.now()) + 1;
    const timer = setTimeout(() => over.abort(), Math.min(overMs, pollMs));
    await this.#changed.wait(over.signal);
    clearTimeout(timer);
  }

  #failAll(error: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.fail(error);
  }

  /** What cannot be told is no loss: the message comes again when its lease is over. */
  #tell(telling: Promise<unknown>): void {
    const told = telling
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => this.#telling.delete(told));
    this.#telling.add(told);
  }
}

function idOf(token: Buffer, index: number): Buffer {
  const id = Buffer.alloc(tokenBytes + 4);
  token.copy(id);
  id.writeUInt32BE(index + 1, tokenBytes);
  return id;
}

function isRefusal({ reason }: LayerUnavailableError): boolean {
  return reason === 'refused' || reason === 'access-denied';
}
