// A queue in memory whose readers can wait.

import { abortable, type Wait } from './abortable.js';

/**
 * A first-in, first-out queue of items and of waiters. An item goes to the waiter that has waited longest, or
 * stays in the queue. The queue has no limit: callers of `put` check `length`. `undefined` is not an item.
 */
export class WaitingQueue<T> {
  #items: T[] = [];
  readonly #waiters = new Set<Waiter<T>>();

  /** The number of items in the queue. */
  get length(): number {
    return this.#items.length;
  }

  /** The number of waiters. Either this or `length` is 0. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** The number of items that all waiters together would take. */
  get wanted(): number {
    let wanted = 0;
    for (const waiter of this.#waiters) wanted += waiter.max;
    return wanted;
  }

  /** Gives the item to the first waiter, or adds it to the queue. */
  put(item: T): void {
    const [waiter] = this.#waiters;
    if (waiter === undefined) this.#items.push(item);
    else waiter.resolve([item]);
  }

  /** Gives the items to the waiters, to each as many as it takes, and adds the rest to the queue. */
  putMany(items: readonly T[]): void {
    let given = 0;
    for (const waiter of [...this.#waiters]) {
      if (given === items.length) return;
      const part = items.slice(given, given + waiter.max);
      given += part.length;
      waiter.resolve(part);
    }
    for (const item of items.slice(given)) this.#items.push(item);
  }

  /** Like `put`, but inserts the item before the first one for which `isAfter` is true. */
  putBefore(item: T, isAfter: (kept: T) => boolean): void {
    const index = this.#items.findIndex(isAfter);
    if (index < 0) this.put(item);
    else this.#items.splice(index, 0, item);
  }

  /** Returns the oldest item without removing it; undefined for an empty queue. */
  peek(): T | undefined {
    return this.#items[0];
  }

  /** Returns at most `max` of the oldest items without removing them. */
  first(max: number): T[] {
    return this.#items.slice(0, max);
  }

  /** Removes the oldest item and returns it; undefined for an empty queue. */
  shift(): T | undefined {
    return this.#items.shift();
  }

  /** Removes all items. Waiters go on waiting. */
  clear(): void {
    this.#items = [];
  }

  /**
   * Takes the oldest item, or waits for one. An abort rejects with the signal's reason. It loses no item,
   * since removing an item and handing it over is one step.
   */
  async take(signal?: AbortSignal): Promise<T> {
    const [item] = await this.takeMany(1, signal);
    return item as T;
  }

  /** Takes at most `max` items. Waits for the next items if the queue is empty. */
  takeMany(max: number, signal?: AbortSignal): Promise<readonly T[]> {
    if (this.length > 0 && !signal?.aborted) return Promise.resolve(this.#items.splice(0, max));
    return abortable<readonly T[]>(signal, (wait) => {
      const waiter = { max, ...wait };
      this.#waiters.add(waiter);
      return () => this.#waiters.delete(waiter);
    });
  }

  /** Passes on each item, now and as they come, until the returned function is called or the waits end with an error. */
  subscribe(onItem: (item: T) => void, onFailure: (error: unknown) => void): () => void {
    for (const item of this.#items.splice(0)) onItem(item);
    const waiter: Waiter<T> = {
      max: Number.POSITIVE_INFINITY,
      resolve: (items) => {
        for (const item of items) onItem(item);
      },
      reject: (error) => {
        this.#waiters.delete(waiter);
        onFailure(error);
      },
    };
    this.#waiters.add(waiter);
    return () => this.#waiters.delete(waiter);
  }

  /** Ends all waits with an error. */
  fail(error: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }
}

interface Waiter<T> extends Wait<readonly T[]> {
  /** The most items that this waiter takes. */
  readonly max: number;
}
