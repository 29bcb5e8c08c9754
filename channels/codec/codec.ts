// Encodes messages as both layers of channels_redis do, without the core layer's random prefix.

import type { Received } from '../application.js';
import { InvalidOptionError, UndecodableError } from '../errors.js';
import { Fernet } from './encryption.js';
import { type Serializer, type SerializerName, serializerOf } from './serializers.js';

/** The options that peers must agree on. */
export interface CodecOptions {
  /** `serializer_format` of channels_redis: `msgpack` (default), or `json`, which has no byte strings. */
  readonly serializer?: SerializerName | undefined;
  /**
   * `symmetric_encryption_keys` of channels_redis: texts of any length. The first key encrypts; every key
   * decrypts. No keys (default) means no encryption. To change a key, give all processes the new one after
   * the old one, then before it, then alone.
   */
  readonly symmetricEncryptionKeys?: readonly string[] | undefined;
}

export interface CodecTimes {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /**
   * The maximum age of an encrypted message in seconds. Messages from more than 60 s in the future are
   * refused too. Undefined: no limit.
   */
  readonly ttlSeconds?: number | undefined;
}

/** Encodes and decodes messages, with encryption if there are keys. */
export class MessageCodec {
  readonly #serializer: Serializer;
  readonly #fernet: Fernet | undefined;
  readonly #times: CodecTimes;

  /** @throws InvalidOptionError, which shows no key */
  constructor({ serializer, symmetricEncryptionKeys }: CodecOptions, times: CodecTimes) {
    this.#serializer = serializerOf(serializer);
    const keys = checkKeys(symmetricEncryptionKeys);
    this.#fernet = keys.length === 0 ? undefined : new Fernet(keys);
    this.#times = times;
  }

  /** @throws InvalidMessageError */
  encode(message: Readonly<Record<string, unknown>>): Uint8Array {
    return this.#seal(this.#serializer.encode(message));
  }

  /**
   * Encodes all of a message except its last property. Returns a function that adds that property's value.
   *
   * @throws InvalidMessageError
   */
  encodeBut(message: Readonly<Record<string, unknown>>, lastKey: string): (lastValue: unknown) => Uint8Array {
    const complete = this.#serializer.encodeBut(message, lastKey);
    return (lastValue) => this.#seal(complete(lastValue));
  }

  /**
   * Decodes a message; the result shares nothing with other results. `isAnyAge` ignores the message's age.
   *
   * @throws UndecodableError
   */
  decode(bytes: Uint8Array, isAnyAge = false): Received {
    const message = this.#serializer.decode(this.#unseal(bytes, isAnyAge));
    if (typeof message !== 'object' || message === null || Array.isArray(message) || message instanceof Map)
      throw new UndecodableError('the message is no map with text keys');
    return message as Received;
  }

  #seal(body: Uint8Array): Uint8Array {
    return this.#fernet === undefined ? body : this.#fernet.encrypt(body, this.#times.now());
  }

  #unseal(bytes: Uint8Array, isAnyAge: boolean): Uint8Array {
    if (this.#fernet === undefined) return bytes;
    const { now, ttlSeconds } = this.#times;
    const isTimed = ttlSeconds !== undefined && !isAnyAge;
    return this.#fernet.decrypt(bytes, isTimed ? { nowMs: now(), ttlSeconds } : undefined);
  }
}

function checkKeys(keys: unknown = []): readonly string[] {
  // Never show any part of a key.
  if (!Array.isArray(keys))
    throw new InvalidOptionError('symmetricEncryptionKeys', 'a list of keys', `a ${typeof keys}`);
  return keys;
}
