// The structured part of a record as JSON, whatever it holds.

import { withoutHalves } from './format/unsafe.js';

/** The fields of a record, for machines: any values that JSON has. Others become text. */
export type Fields = Readonly<Record<string, unknown>>;

/** Maximum characters of a text. */
const maxText = 64 * 1024;
/** Maximum values of all arrays and objects of a record together. */
const maxValues = 10_000;
const maxDepth = 20;

/**
 * JSON of the fields in one line. Never throws, and costs no more for a gigabyte than for a record's 64 kB:
 * values that JSON does not have (big integers, cycles, errors, getters that throw) become a short text, and
 * what is too much is counted.
 */
export function stringifyFields(fields: Fields): string {
  try {
    // Mostly fields are numbers and short texts, and need no copy.
    if (isFlat(fields)) return withoutHalves(JSON.stringify(fields));
  } catch {
    // Reading a value throws: the copy shows the error instead.
  }
  return withoutHalves(JSON.stringify(plainFields(fields)));
}

/**
 * A copy of the fields that consists of nothing but what JSON has, and shares nothing with them: `toJSON` has
 * been called, maps are objects, errors have their name, message, own fields and cause. Never throws.
 *
 * @param origins of which the fields are flat copies: where they lie in themselves, that is a cycle
 */
export function plainFields(fields: Fields, origins: readonly object[] = []): Record<string, unknown> {
  try {
    const plain = new Copier(origins).copy(fields, []);
    return isObject(plain) && !Array.isArray(plain) ? plain : { value: plain };
  } catch (error) {
    return { unreadable: unreadable(error) };
  }
}

function isFlat(fields: Fields): boolean {
  for (const key in fields) {
    const value = fields[key];
    switch (typeof value) {
      case 'string':
        if (value.length > maxText) return false;
        break;
      case 'number':
        if (!Number.isFinite(value)) return false;
        break;
      case 'boolean':
      case 'undefined':
        break;
      default:
        if (value !== null) return false;
    }
  }
  return true;
}

class Copier {
  readonly #origins: readonly object[];
  #left = maxValues;

  constructor(origins: readonly object[]) {
    this.#origins = origins;
  }

  /** @param above the objects in which this value lies */
  copy(value: unknown, above: readonly object[]): unknown {
    switch (typeof value) {
      case 'string':
        return value.length > maxText
          ? `${value.slice(0, maxText)}… [cut: ${value.length} characters]`
          : value;
      case 'number':
        return Number.isFinite(value) ? value : String(value);
      case 'bigint':
      case 'symbol':
        return String(value);
      case 'function':
        return undefined;
      default:
        return isObject(value) ? this.#object(value, above) : value;
    }
  }

  #object(value: Record<string, unknown>, above: readonly object[]): unknown {
    if (above.includes(value) || this.#origins.includes(value)) return '[circular]';
    if (above.length >= maxDepth) return '[too deep]';
    const inside = [...above, value];
    // Before toJSON, which would make an array of numbers of them.
    if (ArrayBuffer.isView(value)) return `[${value.constructor.name} of ${value.byteLength} bytes]`;
    const toJson = read(value, 'toJSON');
    if (typeof toJson === 'function') return this.copy(call(toJson, value), inside);
    if (Array.isArray(value)) return this.#array(value, value.length, inside);
    if (value instanceof Set) return this.#array(value, value.size, inside);
    if (value instanceof Map) return this.#entries(value, value.size, inside);
    if (value instanceof Error) return this.#error(value, inside);
    const keys = Object.keys(value);
    return this.#entries(entriesOf(value, keys), keys.length, inside);
  }

  #array(items: Iterable<unknown>, size: number, inside: readonly object[]): unknown[] {
    const copies: unknown[] = [];
    for (const item of items) {
      if (this.#left-- <= 0) {
        copies.push(`… [${size - copies.length} more]`);
        break;
      }
      copies.push(this.copy(item, inside));
    }
    return copies;
  }

  #entries(
    entries: Iterable<readonly [unknown, unknown]>,
    size: number,
    inside: readonly object[],
  ): Record<string, unknown> {
    // Without a prototype, so that a key `__proto__` is one like any other.
    const copies: Record<string, unknown> = Object.create(null);
    let count = 0;
    for (const [key, value] of entries) {
      if (this.#left-- <= 0) {
        copies['…'] = `[${size - count} more]`;
        break;
      }
      copies[String(key)] = this.copy(value, inside);
      count++;
    }
    return copies;
  }

  /** An error has no enumerable fields, so JSON would make `{}` of it. */
  #error(error: Error, inside: readonly object[]): Record<string, unknown> {
    const keys = new Set([...Object.keys(error), 'name', 'message']);
    for (const key of ['cause', 'errors']) if (Object.hasOwn(error, key)) keys.add(key);
    return this.#entries(entriesOf(error, keys), keys.size, inside);
  }
}

function* entriesOf(object: object, keys: Iterable<string>): Iterable<readonly [string, unknown]> {
  for (const key of keys) yield [key, read(object, key)];
}

function read(object: object, key: string): unknown {
  try {
    return Reflect.get(object, key);
  } catch (error) {
    return `[unreadable: ${unreadable(error)}]`;
  }
}

function call(toJson: CallableFunction, value: object): unknown {
  try {
    const json: unknown = Reflect.apply(toJson, value, ['']);
    return json;
  } catch (error) {
    return `[unreadable: ${unreadable(error)}]`;
  }
}

/** What was thrown, as text; it may be anything. */
export function unreadable(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return 'something that cannot be shown was thrown'; // such as an object whose toString throws
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
