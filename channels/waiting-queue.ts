// A queue in memory that can be waited on.

/**
 * First in, first out, for things and for those who wait for them: an item goes to the one who has waited
 * longest, or is kept. It has no bound of its own; whoever puts looks at `length` first. `undefined` is no item.
 */
export class WaitingQueue<T> {
  /** The items, after `#head` places of those that were taken. */
  #items: (T | undefined)[] = [];
  #head = 0;
  readonly #waiters = new Set<Waiter<T>>();

  /** How many items are kept. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** How many takes wait for an item. Not both this and `length` are above zero. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** Hands the item to the first who waits, or keeps it. */
  put(item: T): void {
    const [waiter] = this.#waiters;
    if (waiter === undefined) this.#items.push(item);
    else waiter.resolve(item);
  }

  /** The same, but the item goes in front of the first kept one for which `isAfter` holds. */
  putBefore(item: T, isAfter: (kept: T) => boolean): void {
    if (this.#waiters.size > 0) {
      this.put(item);
      return;
    }
    const kept = this.#items.slice(this.#head) as T[];
    const place = kept.findIndex(isAfter);
    kept.splice(place < 0 ? kept.length : place, 0, item);
    this.#items = kept;
    this.#head = 0;
  }

  /** The oldest item, which stays; undefined when there is none. */
  peek(): T | undefined {
    return this.#items[this.#head];
  }

  /** Removes the oldest item and returns it; undefined when there is none. */
  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head++;
    // Array.shift would move all items each time; so they are moved when half of the places are empty.
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Removes all items. Who waits goes on waiting. */
  clear(): void {
    this.#items = [];
    this.#head = 0;
  }

  /**
   * Takes the oldest item, or waits for one. An abort rejects with the signal's reason and takes nothing: an item
   * is handed over in one step with its removal, so there is no moment in which it could be lost.
   */
  take(signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const item = this.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve, reject) => {
      const waiter = new Waiter<T>(resolve, reject, signal, () => this.#waiters.delete(waiter));
      this.#waiters.add(waiter);
    });
  }

  /** Ends all waits with an error. */
  fail(error: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }
}

/** One take that waits. Settled once, and out of the queue in the same moment. */
class Waiter<T> {
  readonly #resolve: (item: T) => void;
  readonly #reject: (error: unknown) => void;
  readonly #leave: () => void;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = () => this.reject(this.#signal?.reason);

  constructor(
    resolve: (item: T) => void,
    reject: (error: unknown) => void,
    signal: AbortSignal | undefined,
    leave: () => void,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = signal;
    this.#leave = leave;
    signal?.addEventListener('abort', this.#onAbort);
  }

  resolve(item: T): void {
    this.#end();
    this.#resolve(item);
  }

  reject(error: unknown): void {
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#leave();
  }
}
