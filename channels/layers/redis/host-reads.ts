// The blocked reads of one channel on one host: alone while something comes, together with others while nothing does.

import { dueAfterMs } from '../../listening.js';
import type { BlockingReads, Entry } from './blocking-reads.js';
import type { Host } from './host.js';
import type { SharedReads } from './shared-reads.js';

/** Two entries that come within so long are worth a connection. */
const livelyMs = 10_000;

export class HostReads {
  readonly #host: Host;
  readonly #keys: readonly string[];
  #alone: BlockingReads | undefined;
  #shared: SharedReads | undefined;
  /** When the server had been heard of before the last change between the two. */
  #heardBefore: number | undefined;
  #cameAt = Number.NEGATIVE_INFINITY;

  constructor(host: Host, keys: readonly string[]) {
    this.#host = host;
    this.#keys = keys;
  }

  /** Whether it was tried to reach the host, in vain or until it was lost. */
  get isAway(): boolean {
    return this.#host.commands.isAway;
  }

  /** Milliseconds after the last reply within which there is another one, while somebody waits. */
  get dueMs(): number {
    return dueAfterMs(this.#host.blockMs, this.#host.replyWithinMs);
  }

  /** When the server last let us in or answered a read, in ms of this process's clock. */
  get heardAt(): number | undefined {
    return (this.#shared ?? this.#alone)?.heardAt ?? this.#heardBefore;
  }

  /**
   * Takes the entries with the lowest scores from the first of the keys that has any, at most `max`, waiting for the
   * first. Empty when there was none for some seconds, or when the wait was ended: then try again.
   *
   * @param beforeRead called before each further read on the server
   * @throws LayerUnavailableError when Redis refuses, LayerClosedError
   */
  async take(max: number, isWanted: () => boolean, beforeRead: () => void): Promise<readonly Entry[]> {
    if (this.#shared !== undefined) return this.#takeShared(this.#shared, isWanted, beforeRead);
    this.#alone ??= this.#host.borrow();
    const entries = await this.#alone.take(this.#keys, max, isWanted);
    if (entries.length > 0) this.#cameAt = performance.now();
    else if (isWanted()) this.#join();
    return entries;
  }

  /** Ends the wait of a `take` under way, unless `stillWanted` says yes. */
  async unblock(stillWanted: () => boolean): Promise<void> {
    if (this.#shared !== undefined) await this.#shared.unblock(stillWanted);
    else await this.#alone?.unblock(this.#host.commands, stillWanted);
  }

  /** To be called when nobody waits any more; a further `take` begins where the last one ended. */
  end(): void {
    if (this.#alone !== undefined) this.#host.giveBack(this.#alone);
    this.#alone = undefined;
  }

  async #takeShared(
    shared: SharedReads,
    isWanted: () => boolean,
    beforeRead: () => void,
  ): Promise<readonly Entry[]> {
    const entries = await shared.take(this.#keys, isWanted, beforeRead);
    const now = performance.now();
    if (entries === undefined || (entries.length > 0 && now - this.#cameAt < livelyMs)) this.#leave();
    if (entries !== undefined && entries.length > 0) this.#cameAt = now;
    return entries ?? [];
  }

  #join(): void {
    this.#heardBefore = this.heardAt;
    this.end();
    this.#shared = this.#host.shared();
  }

  #leave(): void {
    this.#heardBefore = this.heardAt;
    this.#shared = undefined;
  }
}
