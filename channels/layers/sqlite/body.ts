// Decodes a message of the file, which is MessagePack.

import type { Received } from '../../application.js';
import { decode } from '../../codec/msgpack.js';
import { UndecodableError } from '../../errors.js';

/** @throws UndecodableError */
export function readBody(body: Uint8Array): Received {
  const value = decode(body);
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return value as Received;
  throw new UndecodableError('expected a map with text keys');
}

/** Returns the message; undefined when it is undecodable. */
export function readIfPossible(body: Uint8Array): Received | undefined {
  try {
    return readBody(body);
  } catch (error) {
    if (error instanceof UndecodableError) return undefined;
    throw error;
  }
}
