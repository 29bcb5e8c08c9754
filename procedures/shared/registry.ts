// What an application registers for procedures, and the arguments that it passes to them.

import * as v from 'valibot';
import { type BaseRequest, LinodError, schemaProblems, UsageError } from '../../src/index.js';

/** An invalid registration. */
export class InvalidRegistrationError extends LinodError {
  /** @param what for example `checker "orders"` */
  constructor(what: string, problem: string) {
    super('LINOD_ERR_INVALID_REGISTRATION', `${what}: ${problem}`);
  }
}

/** The first problem of a value; null when it is valid. */
export function problemOf(schema: v.GenericSchema, value: unknown): string | null {
  return schemaProblems(schema, value)[0]?.problem ?? null;
}

/**
 * The arguments of a run, `linod rule N run --args '{"fix":false}'`, with their defaults.
 *
 * @throws UsageError (`LINOD_ERR_USAGE`)
 */
export function argumentsOf<S extends v.GenericSchema>(ar: BaseRequest, schema: S): v.InferOutput<S> {
  const args = ar.args ?? {};
  const problem = problemOf(schema, args);
  if (problem !== null) throw new UsageError(`the arguments of the run: ${problem}`);
  return v.parse(schema, args);
}

const nameSchema = v.pipe(
  v.string(),
  v.regex(/^[\w.-]{1,100}$/, 'a name of letters, digits, "_", "-" or "."'),
);
const named = v.looseObject({ name: nameSchema });
/** Without zero characters: PostgreSQL refuses them, and aborts the whole transaction. */
export const textSchema = v.pipe(v.string(), v.excludes('\0'));
/** A list of names, for example of ways. */
export const namesSchema = v.array(nameSchema);

/** A single registration: a later one replaces an earlier one. */
export class SingleRegistration<T> {
  #value: T | undefined;

  get value(): T | undefined {
    return this.#value;
  }

  /** @returns a function that removes it */
  set(value: T): () => void {
    this.#value = value;
    return () => {
      if (this.#value === value) this.#value = undefined;
    };
  }
}

/** Named registrations in order. */
export class Registry<T extends { readonly name: string }> implements Iterable<T> {
  readonly #kind: string;
  readonly #schema: v.GenericSchema;
  readonly #items = new Map<string, T>();

  /** @param kind the name of such a registration in messages, `checker` */
  constructor(kind: string, schema: v.GenericSchema) {
    this.#kind = kind;
    this.#schema = schema;
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
   * The registrations with these names, in order of registration; null: all.
   *
   * @throws UsageError (`LINOD_ERR_USAGE`) for an unknown name
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
   * Adds a registration, or replaces the one with the same name, so that a file may be loaded again.
   *
   * @returns a function that removes it
   * @throws InvalidRegistrationError (`LINOD_ERR_INVALID_REGISTRATION`) when it is invalid
   */
  add(item: T): () => void {
    const problem = problemOf(named, item) ?? problemOf(this.#schema, item);
    if (problem !== null)
      throw new InvalidRegistrationError(`${this.#kind} ${JSON.stringify(item.name)}`, problem);
    this.#items.set(item.name, item);
    return () => {
      if (this.#items.get(item.name) === item) this.#items.delete(item.name);
    };
  }

  [Symbol.iterator](): IterableIterator<T> {
    // A copy: registrations during a run take effect from the next run on.
    return [...this.#items.values()].values();
  }
}
