// Reading numbers and pieces from the bytes of a pickle.

import { decodeVisibly } from '../../visible-utf8.js';
import { BadPickleError } from './values.js';

/** Longer numbers are no data of a log, and take long to be made of their digits. */
const maxIntegerBytes = 1024;
const maxLineBytes = 4096;

export class PickleBytes {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get position(): number {
    return this.#at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  uint8(): number {
    return this.#bytes.readUInt8(this.#skip(1));
  }

  uint16(): number {
    return this.#bytes.readUInt16LE(this.#skip(2));
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#skip(4));
  }

  int32(): number {
    return this.#bytes.readInt32LE(this.#skip(4));
  }

  /** A length of eight bytes. One that is no safe integer is longer than any pickle. */
  uint64(): number {
    return Number(this.#bytes.readBigUInt64LE(this.#skip(8)));
  }

  /** Big-endian, unlike all others. */
  float64(): number {
    return this.#bytes.readDoubleBE(this.#skip(8));
  }

  take(length: number): Buffer {
    const start = this.#skip(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** A little-endian integer in two's complement. */
  integer(length: number): number | bigint {
    if (length > maxIntegerBytes)
      throw new BadPickleError(`an integer of ${length} bytes, and ${maxIntegerBytes} are read at most`);
    const digits = Buffer.from(this.take(length)).reverse();
    if (digits.length === 0) return 0;
    return narrow(BigInt.asIntN(length * 8, BigInt(`0x${digits.toString('hex')}`)));
  }

  /** Text up to the next newline, as protocol 0 and 1 write some values. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0 || end - this.#at > maxLineBytes) throw new BadPickleError('a line in the pickle has no end');
    const text = this.#bytes.toString('latin1', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  /** Python also writes halves of surrogate pairs, which stand for bytes of file names that are no text. */
  text(length: number): string {
    return decodeVisibly(this.take(length));
  }

  #skip(length: number): number {
    if (length > this.left) throw new BadPickleError('the pickle ends in the middle of a value');
    const start = this.#at;
    this.#at += length;
    return start;
  }
}

/** A number where that is exact. */
export function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
