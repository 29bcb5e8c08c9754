// What an application registers for a procedure to work on, by name.

import { LinodError, UsageError } from '../src/index.js';

/** Something was registered that makes no sense. */
export class InvalidRegistrationError extends LinodError {
  /** @param what for example `checker "orders"` */
  constructor(what: string, problem: string) {
    super('LINOD_ERR_INVALID_REGISTRATION', `${what}: ${problem}`);
  }
}

/** Named things in the order of their registration. */
export class Registry<T extends { readonly name: string }> implements Iterable<T> {
  readonly #kind: string;
  readonly #items = new Map<string, T>();

  /** @param kind what the things are called in messages, `checker` */
  constructor(kind: string) {
    this.#kind = kind;
  }

  get size(): number {
    return this.#items.size;
  }

  get names(): string[] {
    return [...this.#items.keys()];
  }

  has(name: string): boolean {
    return this.#items.has(name);
  }

  /**
   * Those with these names, in the order of their registration; null: all.
   *
   * @throws UsageError (`LINOD_ERR_USAGE`) for a name that nobody registered
   */
  named(names: readonly string[] | null): T[] {
    const unknown = names?.find((name) => !this.#items.has(name));
    if (unknown !== undefined) {
      const known = this.names.join(', ') || 'none';
      throw new UsageError(`there is no ${this.#kind} ${JSON.stringify(unknown)}; there are ${known}`);
    }
    return [...this].filter(({ name }) => names?.includes(name) ?? true);
  }

  /**
   * Adds a thing, or puts it in the place of the one with the same name, so that a file may be loaded anew.
   *
   * @returns takes it back
   * @throws InvalidRegistrationError (`LINOD_ERR_INVALID_REGISTRATION`) when the name is none
   */
  add(item: T): () => void {
    if (typeof item.name !== 'string' || !/^[\w.-]{1,100}$/.test(item.name)) {
      throw new InvalidRegistrationError(
        this.#kind,
        `expected a name of letters, digits, "_", "-" or ".", got: ${JSON.stringify(item.name)}`,
      );
    }
    this.#items.set(item.name, item);
    return () => {
      if (this.#items.get(item.name) === item) this.#items.delete(item.name);
    };
  }

  [Symbol.iterator](): IterableIterator<T> {
    // A copy: what is registered during a run counts from the next run on.
    return [...this.#items.values()].values();
  }
}
