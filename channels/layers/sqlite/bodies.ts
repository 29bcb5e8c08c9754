// Messages as the bytes that lie in the file: MessagePack, after an id.
//
//   0xc1, which begins no MessagePack value │ 8 bytes: the message's id │ the message
//
// The id travels with the message through parcels, leases and dead letters, so that it can be traced.

import { randomBytes, randomInt } from 'node:crypto';
import type { Received } from '../../application.js';
import { UndecodableError } from '../../errors.js';
import { decode, encode } from '../../msgpack.js';
import { contentHash, highSeed, idBytes, lowSeed, uint32 } from '../../xray/id.js';

const mark = 0xc1;
const headerBytes = 1 + idBytes;

export class Bodies {
  /** The first half of all ids of one layer object. */
  readonly #high = randomBytes(4);
  /** The second half, which counts. */
  #low = randomInt(2 ** 32);
  readonly #hasIds: boolean;

  /** @param hasIds whether what is written gets ids */
  constructor(hasIds: boolean) {
    this.#hasIds = hasIds;
  }

  /** @throws InvalidMessageError */
  readonly write = (message: object): Uint8Array => {
    if (!this.#hasIds) return encode(message);
    const body = encode(message, headerBytes);
    body[0] = mark;
    body.set(this.#high, 1);
    const low = this.#low++;
    body[5] = low >>> 24;
    body[6] = low >>> 16;
    body[7] = low >>> 8;
    body[8] = low;
    return body;
  };

  /** Writes a message that takes the place of another one, and with that its id. */
  writeFor(body: Uint8Array, message: object): Uint8Array {
    if (body[0] !== mark) return encode(message);
    const written = encode(message, headerBytes);
    written.set(body.subarray(0, headerBytes));
    return written;
  }

  /** @throws UndecodableError */
  read(body: Uint8Array): Received {
    const value = decode(body, body[0] === mark ? headerBytes : 0);
    if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
      return value as Received;
    throw new UndecodableError('expected a map with text keys');
  }
}

/** The first half of a message's id. What was written without one is named by what it consists of. */
export function high(body: Uint8Array): number {
  return body[0] === mark ? uint32(body, 1) : contentHash(body, highSeed);
}

/** The second half. */
export function low(body: Uint8Array): number {
  return body[0] === mark ? uint32(body, 5) : contentHash(body, lowSeed);
}
