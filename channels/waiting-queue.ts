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

  /** How many items those who wait would take at most. */
  get wanted(): number {
    let wanted = 0;
    for (const waiter of this.#waiters) wanted += waiter.max;
    return wanted;
  }

  /** Hands the item to the first who waits, or keeps it. */
  put(item: T): void {
    const [waiter] = this.#waiters;
    if (waiter === undefined) this.#items.push(item);
    else waiter.resolve([item]);
  }

  /** Hands the items to those who wait, to each as many as it takes, and keeps the rest. */
  putMany(items: readonly T[]): void {
    let given = 0;
    while (given < items.length) {
      const [waiter] = this.#waiters;
      if (waiter === undefined) break;
      const part = items.slice(given, given + waiter.max);
      given += part.length;
      waiter.resolve(part);
    }
    for (; given < items.length; given++) this.#items.push(items[given]);
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

  /** The oldest items, at most `max`, which stay. */
  first(max: number): T[] {
    return this.#items.slice(this.#head, this.#head + max) as T[];
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
      const resolveFirst = (items: readonly T[]) => resolve(items[0] as T);
      this.#wait(1, resolveFirst, reject, signal);
    });
  }

  /** The same for as many items as there are, at most `max`; where there are none, for those that are put next. */
  takeMany(max: number, signal?: AbortSignal): Promise<readonly T[]> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.length > 0) return Promise.resolve(this.#shiftMany(max));
    return new Promise((resolve, reject) => this.#wait(max, resolve, reject, signal));
  }

  /** Ends all waits with an error. */
  fail(error: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }

  #shiftMany(max: number): T[] {
    const items: T[] = [];
    while (items.length < max) {
      const item = this.shift();
      if (item === undefined) break;
      items.push(item);
    }
    return items;
  }

  #wait(
    max: number,
    resolve: (items: readonly T[]) => void,
    reject: (error: unknown) => void,
    signal: AbortSignal | undefined,
  ): void {
    const waiter = new Waiter<T>({ max, resolve, reject, signal, leave: () => this.#waiters.delete(waiter) });
    this.#waiters.add(waiter);
  }
}

interface WaiterOptions<T> {
  readonly max: number;
  readonly resolve: (items: readonly T[]) => void;
  readonly reject: (error: unknown) => void;
  readonly signal: AbortSignal | undefined;
  readonly leave: () => void;
}

/** One take that waits. Settled once, and out of the queue in the same moment. */
class Waiter<T> {
  /** How many items it takes. */
  readonly max: number;
  readonly #options: WaiterOptions<T>;
  readonly #onAbort = () => this.reject(this.#options.signal?.reason);

  constructor(options: WaiterOptions<T>) {
    this.max = options.max;
    this.#options = options;
    options.signal?.addEventListener('abort', this.#onAbort);
  }

  resolve(items: readonly T[]): void {
    this.#end();
    this.#options.resolve(items);
  }

  reject(error: unknown): void {
    this.#end();
    this.#options.reject(error);
  }

  #end(): void {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#options.leave();
  }
}
