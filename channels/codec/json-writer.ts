// The JSON encoder.

import { isMap, isUint8Array } from 'node:util/types';
import { InvalidMessageError } from '../errors.js';
import { messagePath } from './message-path.js';
import { Float } from './msgpack-values.js';
import { className, isPlainObject } from './plain-object.js';

/** The deepest nesting, as in MessagePack. */
const maxDepth = 511;

/** The most digits of an integer. Python refuses more, since converting them is slow. */
export const maxDigits = 4300;

/** Returns the text of one value. */
export class JsonWriter {
  /** The path of the current value, for error messages. */
  readonly #path: Array<string | number> = [];

  write(value: unknown): string {
    return this.#value(value, 0);
  }

  #value(value: unknown, depth: number): string {
    if (depth > maxDepth) throw this.#refusal(depth, `is nested deeper than ${maxDepth} levels`);
    if (typeof value === 'string') return quoted(value);
    if (typeof value === 'number') return numberText(value);
    if (typeof value === 'boolean' || value === null) return String(value);
    if (typeof value === 'object') return this.#object(value, depth);
    if (typeof value === 'bigint') return this.#bigint(value, depth);
    throw this.#refusal(depth, value === undefined ? 'is undefined' : `is a ${typeof value}`);
  }

  #object(value: object, depth: number): string {
    if (Array.isArray(value)) return this.#list(value, depth);
    if (isPlainObject(value)) return this.#plainObject(value, depth);
    if (isMap(value)) return this.#map(value, depth);
    if (value instanceof Float) return pythonFloat(value.value);
    if (isUint8Array(value)) throw this.#refusal(depth, 'is a byte string, which JSON does not have');
    throw this.#refusal(depth, `is an object of class ${className(value)}, not a plain one`);
  }

  #list(list: readonly unknown[], depth: number): string {
    let text = '[';
    for (let i = 0; i < list.length; i++) {
      this.#path[depth] = i;
      text += (i === 0 ? '' : ', ') + this.#value(list[i], depth + 1);
    }
    return `${text}]`;
  }

  #plainObject(object: Readonly<Record<string, unknown>>, depth: number): string {
    let text = '';
    for (const key of Object.keys(object)) {
      const value = object[key];
      if (value === undefined) continue;
      this.#path[depth] = key;
      text += `${text === '' ? '' : ', '}${quoted(key)}: ${this.#value(value, depth + 1)}`;
    }
    return `{${text}}`;
  }

  #map(map: ReadonlyMap<unknown, unknown>, depth: number): string {
    let text = '';
    for (const [key, value] of map) {
      this.#path[depth] = isUint8Array(key) ? '<bytes>' : String(key);
      text += `${text === '' ? '' : ', '}${this.#key(key, depth + 1)}: ${this.#value(value, depth + 1)}`;
    }
    return `{${text}}`;
  }

  /** Keys that are not text become text, as in Python. */
  #key(key: unknown, depth: number): string {
    if (typeof key === 'string') return quoted(key);
    const isScalar = ['number', 'bigint', 'boolean'].includes(typeof key) || key === null;
    if (isScalar || key instanceof Float) return `"${this.#value(key, depth)}"`;
    throw this.#refusal(depth, 'is filed under a key that is neither text nor a number');
  }

  #bigint(value: bigint, depth: number): string {
    const text = String(value);
    if (text.length > maxDigits)
      throw this.#refusal(
        depth,
        `is an integer of more than ${maxDigits} digits, which Python does not read`,
      );
    return text;
  }

  #refusal(depth: number, problem: string): InvalidMessageError {
    return new InvalidMessageError(`${messagePath(this.#path, depth)}: ${problem}`);
  }
}

/** Integers are the same numbers as in MessagePack. */
function numberText(value: number): string {
  return Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : pythonFloat(value);
}

/**
 * The shortest text that reads back to the same double, in Python's form: `1.0`, `1e+16`, `1e-05`, `NaN`,
 * `-Infinity`.
 */
function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Object.is(value, -0)) return '-0.0';
  const [mantissa, exponentText] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    const sign = exponent < 0 ? '-' : '+';
    return `${mantissa}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const text = String(value);
  return text.includes('.') ? text : `${text}.0`;
}

function quoted(text: string): string {
  return plainText.test(text) ? `"${text}"` : `"${text.replace(escaped, escapeOf)}"`;
}

const plainText = /^[ !#-[\]-~]*$/;
const escaped = /["\\]|[^ -~]/g;
const shortEscapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

function escapeOf(unit: string): string {
  return shortEscapes[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
