// The MessagePack encoder.

import { isMap, isUint8Array } from 'node:util/types';

import { InvalidMessageError } from '../errors.js';
import { messagePath } from './message-path.js';
import { ExtensionValue, Float } from './msgpack-values.js';
import { className, isPlainObject } from './plain-object.js';

/** The deepest nesting, as in Python's packer. */
const maxDepth = 511;
const firstBufferBytes = 512;

/** Encodes one value into a growing buffer. */
export class Encoder {
  #buffer = Buffer.allocUnsafe(firstBufferBytes);
  #length = 0;
  /** The path of the current value, for error messages. */
  readonly #path: Array<string | number> = [];

  encode(value: unknown): Uint8Array {
    this.#write(value, 0);
    return this.#buffer.subarray(0, this.#length);
  }

  #write(value: unknown, depth: number): void {
    if (depth > maxDepth) throw this.#refusal(depth, `is nested deeper than ${maxDepth} levels`);
    if (typeof value === 'string') this.#writeText(value, depth);
    else if (typeof value === 'number') this.#writeNumber(value);
    else if (typeof value === 'boolean') this.#byte(value ? 0xc3 : 0xc2);
    else if (value === null) this.#byte(0xc0);
    else if (typeof value === 'object') this.#writeObject(value, depth);
    else if (typeof value === 'bigint') this.#writeBigint(value, depth);
    else throw this.#refusal(depth, value === undefined ? 'is undefined' : `is a ${typeof value}`);
  }

  #writeObject(value: object, depth: number): void {
    if (Array.isArray(value)) this.#writeList(value, depth);
    else if (isPlainObject(value)) this.#writePlainObject(value, depth);
    else if (isUint8Array(value)) this.#writeBytes(value);
    else if (isMap(value)) this.#writeMap(value, depth);
    else if (value instanceof Float) this.#writeFloat(value.value);
    else if (value instanceof ExtensionValue) this.#writeExtension(value, depth);
    else throw this.#refusal(depth, `is an object of class ${className(value)}, not a plain one`);
  }

  #writeNumber(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) this.#writeFloat(value);
    else if (value >= 0) {
      if (value < 0x80) this.#byte(value);
      else if (value <= 0xff) this.#header(0xcc, 1, value);
      else if (value <= 0xffff) this.#header(0xcd, 2, value);
      else if (value <= 0xffff_ffff) this.#header(0xce, 4, value);
      else this.#write64(0xcf, BigInt(value));
    } else if (value >= -0x20) this.#byte(value & 0xff);
    else if (value >= -0x80) this.#header(0xd0, 1, value & 0xff);
    else if (value >= -0x8000) this.#header(0xd1, 2, value & 0xffff);
    else if (value >= -0x8000_0000) this.#header(0xd2, 4, value >>> 0);
    else this.#write64(0xd3, BigInt.asUintN(64, BigInt(value)));
  }

  #writeBigint(value: bigint, depth: number): void {
    const number = Number(value);
    if (Number.isSafeInteger(number)) this.#writeNumber(number);
    else if (value >= 0n && value < 1n << 64n) this.#write64(0xcf, value);
    else if (value < 0n && value >= -(1n << 63n)) this.#write64(0xd3, BigInt.asUintN(64, value));
    else throw this.#refusal(depth, 'is an integer outside of -2^63 … 2^64-1');
  }

  #writeFloat(value: number): void {
    const at = this.#reserve(9);
    this.#buffer[at] = 0xcb;
    this.#buffer.writeDoubleBE(value, at + 1);
  }

  #writeText(text: string, depth: number): void {
    const length = Buffer.byteLength(text);
    if (length !== text.length && loneSurrogate.test(text))
      throw this.#refusal(depth, 'is text with half of a surrogate pair, which UTF-8 does not have');
    if (length < 0x20) this.#byte(0xa0 | length);
    else this.#sizeHeader(length, 0xd9, 0xda, 0xdb);
    const at = this.#reserve(length);
    this.#buffer.write(text, at, length, length === text.length ? 'latin1' : 'utf8');
  }

  #writeBytes(bytes: Uint8Array): void {
    this.#sizeHeader(bytes.length, 0xc4, 0xc5, 0xc6);
    this.#append(bytes);
  }

  #writeExtension({ code, data }: ExtensionValue, depth: number): void {
    if (!Number.isInteger(code) || code < -0x80 || code > 0x7f || !isUint8Array(data))
      throw this.#refusal(depth, 'is an extension value without a code of -128 … 127 and bytes');
    const fixed = [1, 2, 4, 8, 16].indexOf(data.length);
    if (fixed >= 0) this.#byte(0xd4 + fixed);
    else this.#sizeHeader(data.length, 0xc7, 0xc8, 0xc9);
    this.#byte(code & 0xff);
    this.#append(data);
  }

  #writeList(list: readonly unknown[], depth: number): void {
    if (list.length < 0x10) this.#byte(0x90 | list.length);
    else this.#sizeHeader(list.length, undefined, 0xdc, 0xdd);
    for (let i = 0; i < list.length; i++) {
      this.#path[depth] = i;
      this.#write(list[i], depth + 1);
    }
  }

  #writePlainObject(object: Readonly<Record<string, unknown>>, depth: number): void {
    const entries = Object.entries(object).filter(([, value]) => value !== undefined);
    this.#mapHeader(entries.length);
    for (const [key, value] of entries) {
      this.#path[depth] = key;
      this.#writeText(key, depth + 1);
      this.#write(value, depth + 1);
    }
  }

  #writeMap(map: ReadonlyMap<unknown, unknown>, depth: number): void {
    this.#mapHeader(map.size);
    for (const [key, value] of map) {
      this.#path[depth] = isUint8Array(key) ? '<bytes>' : String(key);
      if (typeof key === 'string') this.#writeText(key, depth + 1);
      else if (isUint8Array(key)) this.#writeBytes(key);
      else throw this.#refusal(depth + 1, 'is filed under a key that is neither text nor bytes');
      this.#write(value, depth + 1);
    }
  }

  #mapHeader(size: number): void {
    if (size < 0x10) this.#byte(0x80 | size);
    else this.#sizeHeader(size, undefined, 0xde, 0xdf);
  }

  /** Writes the shortest header for the size. Not every kind has a header for sizes of one byte. */
  #sizeHeader(size: number, code8: number | undefined, code16: number, code32: number): void {
    if (size <= 0xff && code8 !== undefined) this.#header(code8, 1, size);
    else if (size <= 0xffff) this.#header(code16, 2, size);
    else this.#header(code32, 4, size);
  }

  #byte(value: number): void {
    const at = this.#reserve(1);
    this.#buffer[at] = value;
  }

  #header(code: number, bytes: number, value: number): void {
    const at = this.#reserve(1 + bytes);
    this.#buffer[at] = code;
    this.#buffer.writeUIntBE(value, at + 1, bytes);
  }

  #write64(code: number, value: bigint): void {
    const at = this.#reserve(9);
    this.#buffer[at] = code;
    this.#buffer.writeBigUInt64BE(value, at + 1);
  }

  #append(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** Reserves `size` bytes and returns their offset. */
  #reserve(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(this.#length * 2);
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
    }
    return at;
  }

  #refusal(depth: number, problem: string): InvalidMessageError {
    return new InvalidMessageError(`${messagePath(this.#path, depth)}: ${problem}`);
  }
}

const loneSurrogate = /\p{Surrogate}/u;
