// Reads pickles of plain data, as Python's logging sends them, and executes nothing.

import { narrow, PickleBytes } from './bytes.js';
import {
  assertShape,
  BadPickleError,
  PickleLimitError,
  type PickleValue,
  UnsafePickleError,
} from './values.js';

const maxBytes = 1024 ** 2;
/** Values, marks and memo entries that a pickle makes. */
const maxValues = 50_000;

/** Where a list, dict, set or tuple begins on the stack. */
const mark = Symbol('mark');
type Slot = PickleValue | typeof mark;

/**
 * Reads one pickle of protocol 1 to 5 that consists of dicts, lists, tuples, sets, text, bytes, numbers, booleans and None.
 * A pickle is a program for a small machine with a stack; of its instructions only those are known here that make
 * such data. Those that name a class or call something are refused by name, whatever they name.
 *
 * @throws UnsafePickleError (`LINOD_ERR_UNSAFE_PICKLE`), PickleLimitError (`LINOD_ERR_PICKLE_LIMIT`),
 *   BadPickleError (`LINOD_ERR_BAD_PICKLE`)
 * Source: Python, Lib/pickletools.py, "opcodes"
 */
export function readPickle(bytes: Buffer): PickleValue {
  if (bytes.length > maxBytes) throw new PickleLimitError('bytes', maxBytes);
  const value = new Machine(new PickleBytes(bytes)).run();
  assertShape(value);
  return value;
}

class Machine {
  readonly #bytes: PickleBytes;
  readonly #stack: Slot[] = [];
  readonly #memo = new Map<number, PickleValue>();
  #made = 0;

  constructor(bytes: PickleBytes) {
    this.#bytes = bytes;
  }

  run(): PickleValue {
    for (;;) {
      const code = this.#bytes.uint8();
      const opcode = String.fromCharCode(code);
      if (opcode === '.') return this.#end();
      const run = opcodes[opcode];
      if (run === undefined) throw unknown(opcode, code, this.#bytes);
      run(this, this.#bytes);
    }
  }

  #end(): PickleValue {
    const value = this.pop();
    if (this.#stack.length > 0)
      throw new BadPickleError('the pickle ends with values that belong to nothing');
    if (this.#bytes.left > 0)
      throw new BadPickleError(`${this.#bytes.left} bytes follow the end of the pickle`);
    return value;
  }

  push(value: Slot): void {
    this.#count();
    this.#stack.push(value);
  }

  pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined || value === mark)
      throw new BadPickleError('the pickle takes a value that is not there');
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
    const values = this.#stack.splice(from).slice(1);
    return values.filter((value) => value !== mark);
  }

  put(index: number): void {
    this.#count();
    this.#memo.set(index, this.top());
  }

  memoize(): void {
    this.put(this.#memo.size);
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
    fill(this.top(), pairs);
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

function fill(dict: PickleValue, pairs: readonly PickleValue[]): Map<PickleValue, PickleValue> {
  if (!(dict instanceof Map)) throw new BadPickleError('the pickle sets an item of what is no dict');
  for (let i = 0; i < pairs.length; i += 2) {
    const [key, value] = pairs.slice(i, i + 2);
    if (key === undefined || value === undefined)
      throw new BadPickleError('the pickle has a key without a value');
    dict.set(key, value);
  }
  return dict;
}

type Run = (machine: Machine, bytes: PickleBytes) => void;

const opcodes: Readonly<Record<string, Run>> = {
  // What frames the rest: a protocol's number, a length of what follows, a mark.
  '\x80': (_, bytes) => assertProtocol(bytes.uint8()),
  '\x95': (_, bytes) => assertFrame(bytes.uint64(), bytes),
  '(': (machine) => machine.push(mark),
  '0': (machine) => machine.drop(),
  '1': (machine) => void machine.popToMark(),
  '2': (machine) => machine.push(machine.top()),
  // Constants and numbers.
  N: (machine) => machine.push(null),
  '\x88': (machine) => machine.push(true),
  '\x89': (machine) => machine.push(false),
  I: (machine, bytes) => machine.push(integerLine(bytes.line())),
  L: (machine, bytes) => machine.push(longLine(bytes.line())),
  J: (machine, bytes) => machine.push(bytes.int32()),
  K: (machine, bytes) => machine.push(bytes.uint8()),
  M: (machine, bytes) => machine.push(bytes.uint16()),
  '\x8a': (machine, bytes) => machine.push(bytes.integer(bytes.uint8())),
  '\x8b': (machine, bytes) => machine.push(bytes.integer(bytes.uint32())),
  G: (machine, bytes) => machine.push(bytes.float64()),
  // Text and bytes; T and U are the text of Python 2.
  X: (machine, bytes) => machine.push(bytes.text(bytes.uint32())),
  '\x8c': (machine, bytes) => machine.push(bytes.text(bytes.uint8())),
  '\x8d': (machine, bytes) => machine.push(bytes.text(bytes.uint64())),
  T: (machine, bytes) => machine.push(bytes.text(bytes.uint32())),
  U: (machine, bytes) => machine.push(bytes.text(bytes.uint8())),
  B: (machine, bytes) => machine.push(copied(bytes.take(bytes.uint32()))),
  C: (machine, bytes) => machine.push(copied(bytes.take(bytes.uint8()))),
  '\x8e': (machine, bytes) => machine.push(copied(bytes.take(bytes.uint64()))),
  '\x96': (machine, bytes) => machine.push(copied(bytes.take(bytes.uint64()))),
  // Containers.
  ']': (machine) => machine.push([]),
  '}': (machine) => machine.push(new Map()),
  ')': (machine) => machine.push([]),
  '\x8f': (machine) => machine.push(new Set()),
  '\x91': (machine) => machine.push(new Set(machine.popToMark())),
  l: (machine) => machine.push(machine.popToMark()),
  t: (machine) => machine.push(machine.popToMark()),
  d: (machine) => machine.push(fill(new Map(), machine.popToMark())),
  '\x85': (machine) => machine.push([machine.pop()]),
  '\x86': (machine) => machine.push([machine.pop(), machine.pop()].reverse()),
  '\x87': (machine) => machine.push([machine.pop(), machine.pop(), machine.pop()].reverse()),
  a: (machine) => machine.append([machine.pop()]),
  e: (machine) => machine.append(machine.popToMark()),
  s: (machine) => machine.setItems([machine.pop(), machine.pop()].reverse()),
  u: (machine) => machine.setItems(machine.popToMark()),
  '\x90': (machine) => machine.add(machine.popToMark()),
  // What occurs again.
  q: (machine, bytes) => machine.put(bytes.uint8()),
  r: (machine, bytes) => machine.put(bytes.uint32()),
  '\x94': (machine) => machine.memoize(),
  h: (machine, bytes) => machine.get(bytes.uint8()),
  j: (machine, bytes) => machine.get(bytes.uint32()),
};

/** Instructions that name or call something, with how what they name stands behind them. */
const refused: Readonly<Record<string, { readonly name: string; readonly names?: number }>> = {
  c: { name: 'GLOBAL', names: 2 },
  i: { name: 'INST', names: 2 },
  P: { name: 'PERSID', names: 1 },
  '\x93': { name: 'STACK_GLOBAL' },
  R: { name: 'REDUCE' },
  b: { name: 'BUILD' },
  o: { name: 'OBJ' },
  '\x81': { name: 'NEWOBJ' },
  '\x92': { name: 'NEWOBJ_EX' },
  Q: { name: 'BINPERSID' },
  '\x82': { name: 'EXT1' },
  '\x83': { name: 'EXT2' },
  '\x84': { name: 'EXT4' },
  '\x97': { name: 'NEXT_BUFFER' },
  '\x98': { name: 'READONLY_BUFFER' },
};

function unknown(opcode: string, code: number, bytes: PickleBytes): Error {
  const found = refused[opcode];
  if (found === undefined)
    return new BadPickleError(
      `there is no instruction 0x${code.toString(16)} of protocol 1 to 5 at byte ${bytes.position - 1}`,
    );
  const names = Array.from({ length: found.names ?? 0 }, () => bytes.line().slice(0, 100));
  return new UnsafePickleError([found.name, ...names].join(' '));
}

function assertProtocol(protocol: number): void {
  if (protocol < 1 || protocol > 5)
    throw new BadPickleError(`a pickle of protocol ${protocol}; 1 to 5 are read`);
}

function assertFrame(length: number, bytes: PickleBytes): void {
  if (length > bytes.left) throw new BadPickleError('a frame of the pickle is longer than the pickle');
}

function integerLine(text: string): boolean | number | bigint {
  if (text === '00') return false;
  if (text === '01') return true;
  return decimal(text);
}

function longLine(text: string): number | bigint {
  return decimal(text.replace(/L$/, ''));
}

function decimal(text: string): number | bigint {
  if (!/^-?\d{1,2500}$/.test(text))
    throw new BadPickleError(`expected an integer, got: ${JSON.stringify(text.slice(0, 40))}`);
  return narrow(BigInt(text));
}

/** The pickle's bytes are a piece of a larger buffer, which must not be kept for them. */
function copied(bytes: Buffer): Uint8Array {
  return Uint8Array.from(bytes);
}
