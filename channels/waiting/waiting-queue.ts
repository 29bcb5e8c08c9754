// A queue in memory that can be waited on.

import { abortable, type Wait } from './abortable.js';

/**
 * First in, first out, for things and for those who wait for them: an item goes to the one who has waited
 * longest, or is kept. It has no bound of its own; whoever puts looks at `length` first. `undefined` is no item.
 */
export class WaitingQueue<T> {
  #items: T[] = [];
  readonly #waiters = new Set<Waiter<T>>();

  /** How many items are kept. */
  get length(): number {
    return this.#items.length;
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
    for (const waiter of [...this.#waiters]) {
      if (given === items.length) return;
      const part = items.slice(given, given + waiter.max);
      given += part.length;
      waiter.resolve(part);
    }
    for (const item of items.slice(given)) this.#items.push(item);
  }

  /** The same as `put`, but the item goes in front of the first kept one for which `isAfter` holds. */
  putBefore(item: T, isAfter: (kept: T) => boolean): void {
    const index = this.#items.findIndex(isAfter);
    if (index < 0) this.put(item);
    else this.#items.splice(index, 0, item);
  }

  /** The oldest item, which stays; undefined when there is none. */
  peek(): T | undefined {
    return this.#items[0];
  }

  /** The oldest items, at most `max`, which stay. */
  first(max: number): T[] {
    return this.#items.slice(0, max);
  }

  /** Removes the oldest item and returns it; undefined when there is none. */
  shift(): T | undefined {
    return this.#items.shift();
  }

  /** Removes all items. Who waits goes on waiting. */
  clear(): void {
    this.#items = [];
  }

  /**
   * Takes the oldest item, or waits for one. An abort rejects with the signal's reason and takes nothing: an item
   * is handed over in one step with its removal, so there is no moment in which it could be lost.
   */
  async take(signal?: AbortSignal): Promise<T> {
    const [item] = await this.takeMany(1, signal);
    return item as T;
  }

  /** The same for as many items as there are, at most `max`; where there are none, for those that are put next. */
  takeMany(max: number, signal?: AbortSignal): Promise<readonly T[]> {
    if (this.length > 0 && !signal?.aborted) return Promise.resolve(this.#items.splice(0, max));
    return abortable<readonly T[]>(signal, (wait) => {
      const waiter = { max, ...wait };
      this.#waiters.add(waiter);
      return () => this.#waiters.delete(waiter);
    });
  }

  /** Ends all waits with an error. */
  fail(error: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }
}

interface Waiter<T> extends Wait<readonly T[]> {
  /** How many items it takes. */
  readonly max: number;
}
