// Several small statements made one: what is asked for while another is under way is done together next.

import { setImmediate } from 'node:timers/promises';

interface Wish<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Does for many callers at once what each asks for one thing. */
export class Together<Item, Result> {
  readonly #work: (items: readonly Item[]) => Promise<(item: Item) => Result>;
  #wishes: Wish<Item, Result>[] = [];
  #isAtWork = false;

  /** @param work does it for some items, and tells what came of each; what it throws, each of the callers gets */
  constructor(work: (items: readonly Item[]) => Promise<(item: Item) => Result>) {
    this.#work = work;
  }

  /** Resolves when it was done for this item. */
  async add(item: Item): Promise<Result> {
    return await new Promise((resolve, reject) => {
      this.#wishes.push({ item, resolve, reject });
      if (!this.#isAtWork) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isAtWork = true;
    while (this.#wishes.length > 0) {
      // Whoever is heard in this turn of the event loop comes along.
      await setImmediate();
      const wishes = this.#wishes;
      this.#wishes = [];
      try {
        const resultOf = await this.#work(wishes.map(({ item }) => item));
        for (const { item, resolve } of wishes) resolve(resultOf(item));
      } catch (error) {
        for (const { reject } of wishes) reject(error);
      }
    }
    this.#isAtWork = false;
  }
}
