// What comes when: the earliest first, as a binary heap.

interface Item<T> {
  readonly at: number;
  readonly value: T;
}

/** A queue by time. What comes at the same time comes in any order. */
export class Agenda<T> {
  readonly #items: Array<Item<T>> = [];

  /** When the earliest comes; infinity when nothing does. */
  get next(): number {
    return this.#items[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  add(at: number, value: T): void {
    const item = { at, value };
    const items = this.#items;
    let i = items.length;
    for (; i > 0; ) {
      const parent = (i - 1) >> 1;
      const above = items[parent];
      if (above === undefined || above.at <= at) break;
      items[i] = above;
      i = parent;
    }
    items[i] = item;
  }

  /** Takes the earliest out, if it comes up to an instant. */
  take(upTo: number): T | undefined {
    const items = this.#items;
    const [first] = items;
    if (first === undefined || first.at > upTo) return undefined;
    const last = items.pop();
    if (last !== undefined && items.length > 0) this.#sink(last);
    return first.value;
  }

  /** Puts an item into the place of the first, and down to where it belongs. */
  #sink(item: Item<T>): void {
    const items = this.#items;
    for (let i = 0; ; ) {
      const [left, right] = [items[2 * i + 1], items[2 * i + 2]];
      const isRight = right !== undefined && left !== undefined && right.at < left.at;
      const child = isRight ? right : left;
      if (child === undefined || child.at >= item.at) {
        items[i] = item;
        return;
      }
      items[i] = child;
      i = 2 * i + (isRight ? 2 : 1);
    }
  }
}
