// The writing half of the codec.

import { isMap, isUint8Array } from 'node:util/types';

import { InvalidMessageError } from '../errors.js';
import { messagePlace } from '../message-place.js';
import { className, isPlainObject } from '../plain-object.js';
import { ExtensionValue, Float } from './values.js';

/** How many containers may stand around a value; Python's packer has the same limit. */
const maxDepth = 511;
/** Text up to this many code units is copied by a loop, which beats a call into the runtime. */
const shortText = 24;
/** A buffer that one large message made larger than this is not kept for the next one. */
const maxKeptBufferBytes = 1 << 20;
/**
 * Small results are written into memory that they share, as large as Node's own pool for small buffers: what one of them
 * that is kept keeps in memory with it.
 */
const poolBytes = 8192;
/** How much of that must be left for a result to be begun there. */
const mostShared = 512;

/** Writes into memory for results, or into a buffer that grows and is used again. */
export class Encoder {
  #pool = Buffer.allocUnsafeSlow(poolBytes);
  /** How much of it belongs to results already. */
  #given = 0;
  /** For what does not fit there. */
  #large = Buffer.allocUnsafeSlow(poolBytes);
  /** The one of both that is being written to, and up to where. */
  #buffer = this.#pool;
  #length = 0;
  /** The keys and indexes that lead to the value being written, kept to name it in an error. */
  readonly #path: Array<string | number> = [];

  /** @param room bytes before the value that are left to the caller */
  encode(value: unknown, room: number): Uint8Array {
    if (poolBytes - this.#given < mostShared) {
      this.#pool = Buffer.allocUnsafeSlow(poolBytes);
      this.#given = 0;
    }
    this.#buffer = this.#pool;
    this.#length = this.#given + room;
    this.#write(value, 0);
    const bytes = this.#buffer.subarray(this.#given, this.#length);
    if (this.#buffer === this.#pool) {
      this.#given = this.#length;
      return bytes;
    }
    if (this.#large.length > maxKeptBufferBytes) this.#large = Buffer.allocUnsafeSlow(poolBytes);
    return new Uint8Array(bytes);
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
      else if (value <= 0xff) this.#header8(0xcc, value);
      else if (value <= 0xffff) this.#header16(0xcd, value);
      else if (value <= 0xffff_ffff) this.#header32(0xce, value);
      else this.#write64(0xcf, BigInt(value));
    } else if (value >= -0x20) this.#byte(value & 0xff);
    else if (value >= -0x80) this.#header8(0xd0, value & 0xff);
    else if (value >= -0x8000) this.#header16(0xd1, value & 0xffff);
    else if (value >= -0x8000_0000) this.#header32(0xd2, value >>> 0);
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
    if (text.length <= shortText && this.#writeShortAscii(text)) return;
    const length = Buffer.byteLength(text);
    if (length !== text.length && loneSurrogate.test(text))
      throw this.#refusal(depth, 'is text with half of a surrogate pair, which UTF-8 does not have');
    if (length < 0x20) this.#byte(0xa0 | length);
    else if (length <= 0xff) this.#header8(0xd9, length);
    else if (length <= 0xffff) this.#header16(0xda, length);
    else this.#header32(0xdb, length);
    const at = this.#reserve(length);
    this.#buffer.write(text, at, length, length === text.length ? 'latin1' : 'utf8');
  }

  #writeShortAscii(text: string): boolean {
    const { length } = text;
    const start = this.#reserve(length + 1);
    const buffer = this.#buffer;
    buffer[start] = 0xa0 | length;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) {
        this.#length = start;
        return false;
      }
      buffer[start + 1 + i] = unit;
    }
    return true;
  }

  #writeBytes(bytes: Uint8Array): void {
    const { length } = bytes;
    if (length <= 0xff) this.#header8(0xc4, length);
    else if (length <= 0xffff) this.#header16(0xc5, length);
    else this.#header32(0xc6, length);
    this.#append(bytes);
  }

  #writeExtension({ code, data }: ExtensionValue, depth: number): void {
    if (!Number.isInteger(code) || code < -0x80 || code > 0x7f || !isUint8Array(data))
      throw this.#refusal(depth, 'is an extension value without a code of -128 … 127 and bytes');
    const { length } = data;
    const fixed = [1, 2, 4, 8, 16].indexOf(length);
    if (fixed >= 0) this.#byte(0xd4 + fixed);
    else if (length <= 0xff) this.#header8(0xc7, length);
    else if (length <= 0xffff) this.#header16(0xc8, length);
    else this.#header32(0xc9, length);
    this.#byte(code & 0xff);
    this.#append(data);
  }

  #writeList(list: readonly unknown[], depth: number): void {
    const { length } = list;
    if (length < 0x10) this.#byte(0x90 | length);
    else if (length <= 0xffff) this.#header16(0xdc, length);
    else this.#header32(0xdd, length);
    for (let i = 0; i < length; i++) {
      this.#path[depth] = i;
      this.#write(list[i], depth + 1);
    }
  }

  #writePlainObject(object: Readonly<Record<string, unknown>>, depth: number): void {
    const keys = Object.keys(object);
    const sizeAt = this.#length;
    this.#mapHeader(keys.length);
    let written = 0;
    for (const key of keys) {
      const value = object[key];
      if (value === undefined) continue;
      written++;
      this.#path[depth] = key;
      this.#writeText(key, depth + 1);
      this.#write(value, depth + 1);
    }
    if (written !== keys.length) this.#shrinkMap(sizeAt, keys.length, written);
  }

  /** Corrects the size of a map that was left with fewer entries, and its header if that is now too wide. */
  #shrinkMap(headerAt: number, announced: number, written: number): void {
    const end = this.#length;
    const body = headerAt + mapHeaderBytes(announced);
    this.#length = headerAt;
    this.#mapHeader(written);
    this.#buffer.copyWithin(this.#length, body, end);
    this.#length += end - body;
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
    else if (size <= 0xffff) this.#header16(0xde, size);
    else this.#header32(0xdf, size);
  }

  #byte(value: number): void {
    const at = this.#reserve(1);
    this.#buffer[at] = value;
  }

  #header8(code: number, value: number): void {
    const at = this.#reserve(2);
    this.#buffer[at] = code;
    this.#buffer[at + 1] = value;
  }

  #header16(code: number, value: number): void {
    const at = this.#reserve(3);
    this.#buffer[at] = code;
    this.#buffer[at + 1] = value >>> 8;
    this.#buffer[at + 2] = value;
  }

  #header32(code: number, value: number): void {
    const at = this.#reserve(5);
    this.#buffer[at] = code;
    this.#buffer.writeUInt32BE(value, at + 1);
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

  /** Makes room for `size` more bytes and returns where they begin. */
  #reserve(size: number): number {
    const at = this.#length;
    const end = at + size;
    if (end > this.#buffer.length) this.#moveToLarge(end);
    this.#length = end;
    return at;
  }

  #moveToLarge(end: number): void {
    const written = this.#buffer;
    if (written === this.#large || end > this.#large.length)
      this.#large = Buffer.allocUnsafeSlow(Math.max(end, this.#large.length * 2));
    this.#large.set(written.subarray(this.#given, this.#length), this.#given);
    this.#buffer = this.#large;
  }

  #refusal(depth: number, problem: string): InvalidMessageError {
    return new InvalidMessageError(`${messagePlace(this.#path, depth)}: ${problem}`);
  }
}

const loneSurrogate = /\p{Surrogate}/u;

function mapHeaderBytes(size: number): number {
  if (size < 0x10) return 1;
  return size <= 0xffff ? 3 : 5;
}
