// Reads pickles of plain data, as Python's logging sends them, and executes nothing.

import { LinodError } from '../../base/errors.js';
import { decodeVisibly } from '../format/visible-utf8.js';

/**
 * Python's list and tuple become an array, dict a Map, set and frozenset a Set, bytes a Uint8Array, int a
 * number or a bigint.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>;

/** The bytes are no pickle, or one that is broken. */
export class BadPickleError extends LinodError {
  constructor(problem: string) {
    super('LINOD_ERR_BAD_PICKLE', problem);
  }
}

/** The pickle wants something executed: it names a class or a function. Nothing of it was. */
export class UnsafePickleError extends LinodError {
  /** What it asks for, such as `GLOBAL datetime datetime`. */
  readonly wanted: string;

  constructor(wanted: string) {
    super('LINOD_ERR_UNSAFE_PICKLE', `only plain data is read, and this pickle wants ${wanted}`);
    this.wanted = wanted;
  }
}

/** The pickle holds more than is allowed. */
export class PickleLimitError extends LinodError {
  constructor(what: string, limit: number) {
    super('LINOD_ERR_PICKLE_LIMIT', `a pickle may have ${limit} ${what} at most, and this one has more`);
  }
}

const maxBytes = 1024 ** 2;
/** Values, marks and memo entries that a pickle makes. */
const maxValues = 50_000;
/** Containers inside one another. */
const maxDepth = 100;
/** Values and bytes of text when everything that occurs in several places is written out. */
const maxExpanded = 2_000_000;
/** Longer numbers are no data of a log, and take long to be made of their digits. */
const maxIntegerBytes = 1024;

/** Where a list, dict, set or tuple begins on the stack. */
const mark = Symbol('mark');

/**
 * Reads one pickle of protocol 1 to 5 that consists of dicts, lists, tuples, sets, text, bytes, numbers,
 * booleans and None. A pickle is a program for a small machine with a stack; of its instructions only those
 * are known here that make such data. Those that name a class or call something are refused by name, whatever
 * they name.
 *
 * @throws UnsafePickleError (`LINOD_ERR_UNSAFE_PICKLE`), PickleLimitError (`LINOD_ERR_PICKLE_LIMIT`),
 *   BadPickleError (`LINOD_ERR_BAD_PICKLE`)
 * Source: Python, Lib/pickletools.py, "opcodes"
 */
export function readPickle(bytes: Buffer): PickleValue {
  if (bytes.length > maxBytes) throw new PickleLimitError('bytes', maxBytes);
  const value = new Machine(bytes).run();
  expand(value, 0, { left: maxExpanded });
  return value;
}

/**
 * Few bytes can name one list twice in the next, and that one twice in the next: a text without end once it
 * is written out.
 */
function expand(value: PickleValue, depth: number, budget: { left: number }): void {
  budget.left -= 1 + (typeof value === 'string' || value instanceof Uint8Array ? value.length : 0);
  if (budget.left < 0) throw new PickleLimitError('values and bytes of text, written out,', maxExpanded);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
  if (depth === maxDepth) throw new PickleLimitError('containers inside one another', maxDepth);
  if (value instanceof Map) for (const key of value.keys()) expand(key, depth + 1, budget);
  for (const child of value.values()) expand(child, depth + 1, budget);
}

class Machine {
  readonly #bytes: Buffer;
  #at = 0;
  readonly #stack: Array<PickleValue | typeof mark> = [];
  readonly #memo = new Map<number, PickleValue>();
  #made = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  run(): PickleValue {
    for (;;) {
      const opcode = String.fromCharCode(this.uint(1));
      if (opcode === '.') return this.#end();
      const run = opcodes[opcode];
      if (run === undefined) this.#refuse(opcode);
      else run(this);
    }
  }

  #end(): PickleValue {
    const value = this.pop();
    if (this.#stack.length > 0)
      throw new BadPickleError('the pickle ends with values that belong to nothing');
    if (this.left > 0) throw new BadPickleError(`${this.left} bytes follow the end of the pickle`);
    return value;
  }

  #refuse(opcode: string): never {
    const name = refused[opcode];
    if (name === undefined) {
      const code = opcode.charCodeAt(0).toString(16);
      throw new BadPickleError(
        `there is no instruction 0x${code} of protocol 1 to 5 at byte ${this.#at - 1}`,
      );
    }
    const names = Array.from({ length: namedBehind[opcode] ?? 0 }, () => this.line().slice(0, 100));
    throw new UnsafePickleError([name, ...names].join(' '));
  }

  /** How many bytes follow. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  uint(length: 1 | 2 | 4): number {
    return this.#bytes.readUIntLE(this.#skip(length), length);
  }

  /** A length of eight bytes. One that is no safe integer is longer than any pickle. */
  uint64(): number {
    return Number(this.#bytes.readBigUInt64LE(this.#skip(8)));
  }

  int32(): number {
    return this.#bytes.readInt32LE(this.#skip(4));
  }

  /** Big-endian, unlike all others. */
  float64(): number {
    return this.#bytes.readDoubleBE(this.#skip(8));
  }

  /** A copy: the pickle is a part of a larger buffer, which must not be kept for it. */
  take(length: number): Uint8Array {
    const start = this.#skip(length);
    return Uint8Array.from(this.#bytes.subarray(start, start + length));
  }

  /** Python also writes halves of surrogate pairs, which stand for bytes of file names that are no text. */
  text(length: number): string {
    const start = this.#skip(length);
    return decodeVisibly(this.#bytes.subarray(start, start + length));
  }

  /** A little-endian integer in two's complement. */
  integer(length: number): number | bigint {
    if (length > maxIntegerBytes)
      throw new BadPickleError(`an integer of ${length} bytes, and ${maxIntegerBytes} are read at most`);
    const hex = Buffer.from(this.take(length)).reverse().toString('hex');
    return narrow(BigInt.asIntN(length * 8, BigInt(`0x${hex || '0'}`)));
  }

  /** Text up to the next newline, as protocol 0 and 1 write some values. */
  line(): string {
    const end = this.#bytes.indexOf('\n', this.#at);
    if (end < 0) throw new BadPickleError('a line in the pickle has no end');
    const text = this.#bytes.toString('latin1', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  #skip(length: number): number {
    if (length > this.left) throw new BadPickleError('the pickle ends in the middle of a value');
    const start = this.#at;
    this.#at += length;
    return start;
  }

  push(value: PickleValue | typeof mark): void {
    this.#count();
    this.#stack.push(value);
  }

  pop(): PickleValue {
    const value = this.top();
    this.#stack.pop();
    return value;
  }

  /** Takes away a value or a mark. */
  drop(): void {
    if (this.#stack.pop() === undefined)
      throw new BadPickleError('the pickle takes a value that is not there');
  }

  top(): PickleValue {
    const value = this.#stack.at(-1);
    if (value === undefined || value === mark)
      throw new BadPickleError('the pickle uses a value that is not there');
    return value;
  }

  /** The values down to the last mark, which goes with them. */
  popToMark(): PickleValue[] {
    const from = this.#stack.lastIndexOf(mark);
    if (from < 0) throw new BadPickleError('the pickle has no mark where one is needed');
    return this.#stack.splice(from).filter((value) => value !== mark);
  }

  popMany(count: number): PickleValue[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  put(index: number = this.#memo.size): void {
    this.#count();
    this.#memo.set(index, this.top());
  }

  get(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined)
      throw new BadPickleError(`the pickle refers to value ${index}, which is not there`);
    this.push(value);
  }

  append(values: readonly PickleValue[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw new BadPickleError('the pickle appends to what is no list');
    for (const value of values) list.push(value);
  }

  setItems(pairs: readonly PickleValue[]): void {
    const dict = this.top();
    if (!(dict instanceof Map)) throw new BadPickleError('the pickle sets an item of what is no dict');
    for (let i = 0; i < pairs.length; i += 2) {
      const [key, value] = pairs.slice(i, i + 2);
      if (key === undefined || value === undefined)
        throw new BadPickleError('the pickle has a key without a value');
      dict.set(key, value);
    }
  }

  add(values: readonly PickleValue[]): void {
    const set = this.top();
    if (!(set instanceof Set)) throw new BadPickleError('the pickle adds to what is no set');
    for (const value of values) set.add(value);
  }

  #count(): void {
    if (++this.#made > maxValues) throw new PickleLimitError('values', maxValues);
  }
}

const opcodes: Readonly<Record<string, (machine: Machine) => void>> = {
  // What frames the rest: a protocol's number, a length of what follows, a mark.
  '\x80': (m) => assertProtocol(m.uint(1)),
  '\x95': (m) => assertFrame(m.uint64(), m.left),
  '(': (m) => m.push(mark),
  '0': (m) => m.drop(),
  '1': (m) => void m.popToMark(),
  '2': (m) => m.push(m.top()),
  // Constants and numbers.
  N: (m) => m.push(null),
  '\x88': (m) => m.push(true),
  '\x89': (m) => m.push(false),
  I: (m) => m.push(integerLine(m.line())),
  L: (m) => m.push(decimal(m.line().replace(/L$/, ''))),
  J: (m) => m.push(m.int32()),
  K: (m) => m.push(m.uint(1)),
  M: (m) => m.push(m.uint(2)),
  '\x8a': (m) => m.push(m.integer(m.uint(1))),
  '\x8b': (m) => m.push(m.integer(m.uint(4))),
  G: (m) => m.push(m.float64()),
  // Text and bytes; T and U are the text of Python 2.
  X: (m) => m.push(m.text(m.uint(4))),
  '\x8c': (m) => m.push(m.text(m.uint(1))),
  '\x8d': (m) => m.push(m.text(m.uint64())),
  T: (m) => m.push(m.text(m.uint(4))),
  U: (m) => m.push(m.text(m.uint(1))),
  B: (m) => m.push(m.take(m.uint(4))),
  C: (m) => m.push(m.take(m.uint(1))),
  '\x8e': (m) => m.push(m.take(m.uint64())),
  '\x96': (m) => m.push(m.take(m.uint64())),
  // Containers.
  ']': (m) => m.push([]),
  '}': (m) => m.push(new Map()),
  ')': (m) => m.push([]),
  '\x8f': (m) => m.push(new Set()),
  '\x91': (m) => m.push(new Set(m.popToMark())),
  l: (m) => m.push(m.popToMark()),
  t: (m) => m.push(m.popToMark()),
  d: (m) => {
    const pairs = m.popToMark();
    m.push(new Map());
    m.setItems(pairs);
  },
  '\x85': (m) => m.push(m.popMany(1)),
  '\x86': (m) => m.push(m.popMany(2)),
  '\x87': (m) => m.push(m.popMany(3)),
  a: (m) => m.append(m.popMany(1)),
  e: (m) => m.append(m.popToMark()),
  s: (m) => m.setItems(m.popMany(2)),
  u: (m) => m.setItems(m.popToMark()),
  '\x90': (m) => m.add(m.popToMark()),
  // What occurs again.
  q: (m) => m.put(m.uint(1)),
  r: (m) => m.put(m.uint(4)),
  '\x94': (m) => m.put(),
  h: (m) => m.get(m.uint(1)),
  j: (m) => m.get(m.uint(4)),
};

/** Instructions that name or call something. */
const refused: Readonly<Record<string, string>> = {
  ...{ c: 'GLOBAL', i: 'INST', P: 'PERSID', Q: 'BINPERSID', '\x93': 'STACK_GLOBAL' },
  ...{ R: 'REDUCE', b: 'BUILD', o: 'OBJ', '\x81': 'NEWOBJ', '\x92': 'NEWOBJ_EX' },
  ...{ '\x82': 'EXT1', '\x83': 'EXT2', '\x84': 'EXT4', '\x97': 'NEXT_BUFFER', '\x98': 'READONLY_BUFFER' },
};
/** How many lines behind the instruction say what it names. */
const namedBehind: Readonly<Record<string, number>> = { c: 2, i: 2, P: 1 };

function assertProtocol(protocol: number): void {
  if (protocol < 1 || protocol > 5)
    throw new BadPickleError(`a pickle of protocol ${protocol}; 1 to 5 are read`);
}

function assertFrame(length: number, left: number): void {
  if (length > left) throw new BadPickleError('a frame of the pickle is longer than the pickle');
}

/** Protocol 1 writes booleans so, too. */
function integerLine(text: string): boolean | number | bigint {
  return text === '00' || text === '01' ? text === '01' : decimal(text);
}

function decimal(text: string): number | bigint {
  if (!/^-?\d{1,2500}$/.test(text))
    throw new BadPickleError(`expected an integer, got: ${JSON.stringify(text.slice(0, 40))}`);
  return narrow(BigInt(text));
}

/** A number where that is exact. */
function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
