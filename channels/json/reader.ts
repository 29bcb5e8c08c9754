// The reading half of the codec.

import { isUtf8 } from 'node:buffer';
import { UndecodableError } from '../errors.js';
import { setOwn } from '../plain-object.js';
import { maxDigits } from './numbers.js';

/** How many containers may stand in each other: as many as in MessagePack. */
const maxDepth = 1024;

/** Walks once through the text of one value. */
export class Reader {
  readonly #text: string;
  #at = 0;

  constructor(bytes: Uint8Array) {
    if (!isUtf8(bytes)) throw new UndecodableError('the text is not valid UTF-8');
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  }

  read(): unknown {
    this.#skipSpace();
    const value = this.#value(0);
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#refusal('something follows the end of the value');
    return value;
  }

  #value(depth: number): unknown {
    const char = this.#text[this.#at];
    if (char === '"') return this.#string();
    if (char === '{') return this.#object(depth);
    if (char === '[') return this.#list(depth);
    const literal = this.#match(literals);
    if (literal !== undefined) return literalValues.get(literal);
    const number = this.#match(numbers);
    if (number === undefined) throw this.#refusal('expected a value');
    return /[.e]/i.test(number) ? Number(number) : this.#integer(number);
  }

  #integer(text: string): number | bigint {
    const number = Number(text);
    // Python has no integer -0.
    if (Number.isSafeInteger(number)) return number === 0 ? 0 : number;
    if (text.length > maxDigits) throw this.#refusal(`an integer has more than ${maxDigits} digits`);
    return BigInt(text);
  }

  #object(depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    this.#enter(depth);
    for (let more = !this.#ends('}'); more; more = this.#continues('}')) {
      if (this.#text[this.#at] !== '"') throw this.#refusal('expected a key');
      const key = this.#string();
      this.#skipSpace();
      if (this.#text[this.#at] !== ':') throw this.#refusal('expected ":"');
      this.#at++;
      this.#skipSpace();
      setOwn(object, key, this.#value(depth + 1));
    }
    return object;
  }

  #list(depth: number): unknown[] {
    const list: unknown[] = [];
    this.#enter(depth);
    for (let more = !this.#ends(']'); more; more = this.#continues(']')) list.push(this.#value(depth + 1));
    return list;
  }

  #enter(depth: number): void {
    if (depth >= maxDepth) throw new UndecodableError(`values are nested deeper than ${maxDepth} levels`);
    this.#at++;
    this.#skipSpace();
  }

  /** Steps over the closing bracket if it comes next. */
  #ends(bracket: string): boolean {
    if (this.#text[this.#at] !== bracket) return false;
    this.#at++;
    return true;
  }

  /** After an item: steps over a comma and says yes, or over the closing bracket and says no. */
  #continues(bracket: string): boolean {
    this.#skipSpace();
    if (this.#ends(bracket)) return false;
    if (this.#text[this.#at] !== ',') throw this.#refusal(`expected "," or "${bracket}"`);
    this.#at++;
    this.#skipSpace();
    return true;
  }

  #string(): string {
    this.#at++;
    let string = this.#match(unescaped) ?? '';
    while (this.#text[this.#at] !== '"') {
      const found = this.#match(escapes);
      if (found === undefined) throw this.#refusal('expected an escape or the end of a string');
      const code = found.slice(2);
      string += code === '' ? shortEscapes[found.slice(1)] : String.fromCharCode(Number.parseInt(code, 16));
      string += this.#match(unescaped) ?? '';
    }
    this.#at++;
    return string;
  }

  #skipSpace(): void {
    this.#match(space);
  }

  /** What the pattern, a sticky one, finds here; steps over it. */
  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return undefined;
    const from = this.#at;
    this.#at = pattern.lastIndex;
    return this.#text.slice(from, this.#at);
  }

  #refusal(problem: string): UndecodableError {
    return new UndecodableError(`the text is no JSON: ${problem} at character ${this.#at}`);
  }
}

const space = /[ \t\n\r]*/y;
const literals = /null|true|false|NaN|-?Infinity/y;
const literalValues: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['null', null],
  ['true', true],
  ['false', false],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);
const numbers = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in a string
const unescaped = /[^"\\\u0000-\u001f]*/y;
const escapes = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;
const shortEscapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
