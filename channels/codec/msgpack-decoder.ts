// The MessagePack decoder.

import { isUtf8 } from 'node:buffer';

import { UndecodableError } from '../errors.js';
import { ExtensionValue } from './msgpack-values.js';
import { setOwn } from './plain-object.js';

/** The deepest nesting, as in Python's decoder. */
const maxDepth = 1024;

/** Decodes one value. */
export class Decoder {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  decode(): unknown {
    const value = this.#read(0);
    const rest = this.#bytes.length - this.#at;
    if (rest > 0) throw new UndecodableError(`${rest} bytes follow the end of the value`);
    return value;
  }

  #read(depth: number): unknown {
    const code = this.#uint8();
    if (code < 0x80) return code;
    if (code >= 0xe0) return code - 0x100;
    if (code >= 0xa0 && code < 0xc0) return this.#text(code & 0x1f);
    if (code < 0x90) return this.#map(code & 0x0f, depth);
    if (code < 0xa0) return this.#list(code & 0x0f, depth);
    switch (code) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#binary(this.#uint8());
      case 0xc5:
        return this.#binary(this.#uint16());
      case 0xc6:
        return this.#binary(this.#uint32());
      case 0xc7:
        return this.#extension(this.#uint8());
      case 0xc8:
        return this.#extension(this.#uint16());
      case 0xc9:
        return this.#extension(this.#uint32());
      case 0xca:
        return this.#bytes.readFloatBE(this.#take(4));
      case 0xcb:
        return this.#bytes.readDoubleBE(this.#take(8));
      case 0xcc:
        return this.#uint8();
      case 0xcd:
        return this.#uint16();
      case 0xce:
        return this.#uint32();
      case 0xcf:
        return numberIfSafe(this.#bytes.readBigUInt64BE(this.#take(8)));
      case 0xd0:
        return this.#bytes.readInt8(this.#take(1));
      case 0xd1:
        return this.#bytes.readInt16BE(this.#take(2));
      case 0xd2:
        return this.#bytes.readInt32BE(this.#take(4));
      case 0xd3:
        return numberIfSafe(this.#bytes.readBigInt64BE(this.#take(8)));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(1 << (code - 0xd4));
      case 0xd9:
        return this.#text(this.#uint8());
      case 0xda:
        return this.#text(this.#uint16());
      case 0xdb:
        return this.#text(this.#uint32());
      case 0xdc:
        return this.#list(this.#uint16(), depth);
      case 0xdd:
        return this.#list(this.#uint32(), depth);
      case 0xde:
        return this.#map(this.#uint16(), depth);
      case 0xdf:
        return this.#map(this.#uint32(), depth);
      default:
        throw new UndecodableError('byte 0xc1 begins no value');
    }
  }

  #text(length: number): string {
    const start = this.#take(length);
    if (!isUtf8(this.#bytes.subarray(start, start + length)))
      throw new UndecodableError('text is not valid UTF-8');
    return this.#bytes.toString('utf8', start, start + length);
  }

  #binary(length: number): Uint8Array {
    const start = this.#take(length);
    return new Uint8Array(this.#bytes.subarray(start, start + length));
  }

  #extension(length: number): ExtensionValue {
    const code = this.#bytes.readInt8(this.#take(1));
    return new ExtensionValue(code, this.#binary(length));
  }

  #list(length: number, depth: number): unknown[] {
    this.#enter(depth, length);
    const list: unknown[] = [];
    for (let i = 0; i < length; i++) list.push(this.#read(depth + 1));
    return list;
  }

  #map(size: number, depth: number): Record<string, unknown> | Map<string | Uint8Array, unknown> {
    this.#enter(depth, size * 2);
    const object: Record<string, unknown> = {};
    for (let i = 0; i < size; i++) {
      const key = this.#key();
      if (typeof key !== 'string') return this.#mapWithByteKeys(object, key, size - i, depth);
      setOwn(object, key, this.#read(depth + 1));
    }
    return object;
  }

  /** Decodes the rest of a map from its first byte key on; `left` entries remain. */
  #mapWithByteKeys(
    begun: Readonly<Record<string, unknown>>,
    firstKey: Uint8Array,
    left: number,
    depth: number,
  ): Map<string | Uint8Array, unknown> {
    const map = new Map<string | Uint8Array, unknown>(Object.entries(begun));
    // A Map compares byte keys by identity, so equal keys are found by their text.
    const byteKeys = new Map<string, Uint8Array>();
    for (let i = 0; i < left; i++) {
      let key = i === 0 ? firstKey : this.#key();
      if (typeof key !== 'string') {
        const text = Buffer.from(key).toString('latin1');
        const known = byteKeys.get(text);
        if (known === undefined) byteKeys.set(text, key);
        else key = known;
      }
      map.set(key, this.#read(depth + 1));
    }
    return map;
  }

  #key(): string | Uint8Array {
    const code = this.#uint8();
    if (code >= 0xa0 && code < 0xc0) return this.#text(code & 0x1f);
    switch (code) {
      case 0xc4:
        return this.#binary(this.#uint8());
      case 0xc5:
        return this.#binary(this.#uint16());
      case 0xc6:
        return this.#binary(this.#uint32());
      case 0xd9:
        return this.#text(this.#uint8());
      case 0xda:
        return this.#text(this.#uint16());
      case 0xdb:
        return this.#text(this.#uint32());
      default:
        throw new UndecodableError('a map key is neither text nor bytes');
    }
  }

  /** Checks the size and the depth of a container, so that a few bytes cannot claim a huge list. */
  #enter(depth: number, values: number): void {
    if (depth >= maxDepth) throw new UndecodableError(`values are nested deeper than ${maxDepth} levels`);
    if (values > this.#bytes.length - this.#at) throw cutShort();
  }

  #uint8(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw cutShort();
    this.#at++;
    return byte;
  }

  #uint16(): number {
    return this.#bytes.readUInt16BE(this.#take(2));
  }

  #uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  /** Skips `length` bytes and returns their offset. */
  #take(length: number): number {
    const start = this.#at;
    const end = start + length;
    if (end > this.#bytes.length) throw cutShort();
    this.#at = end;
    return start;
  }
}

function cutShort(): UndecodableError {
  return new UndecodableError('the bytes end in the middle of a value');
}

function numberIfSafe(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
