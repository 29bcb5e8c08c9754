// A message as the bytes that both layers of channels_redis put on Redis, without the core layer's random prefix.

import type { Received } from '../application.js';
import { InvalidOptionError, UndecodableError } from '../errors.js';
import { Fernet } from './encryption.js';
import { type Serializer, type SerializerName, serializerOf } from './serializers.js';

/** What peers have to agree on to read each other's messages. */
export interface CodecOptions {
  /** The original's `serializer_format`: `msgpack` (default), or `json`, which has no byte strings. */
  readonly serializer?: SerializerName | undefined;
  /**
   * The original's `symmetric_encryption_keys`, texts of any length: the first encrypts, each decrypts. None (default)
   * means no encryption. To change a key, give all processes the new one behind the old, then before it, then alone.
   */
  readonly symmetricEncryptionKeys?: readonly string[] | undefined;
}

export interface CodecTimes {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Seconds after which an encrypted message is refused, as one from more than 60 s in the future; else never. */
  readonly ttlSeconds?: number | undefined;
}

/** Writes and reads messages, serialised and, with keys, encrypted. */
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
   * Writes a message once but for a last property, and returns what completes it with each value of that.
   *
   * @throws InvalidMessageError
   */
  encodeBut(message: Readonly<Record<string, unknown>>, lastKey: string): (lastValue: unknown) => Uint8Array {
    const complete = this.#serializer.encodeBut(message, lastKey);
    return (lastValue) => this.#seal(complete(lastValue));
  }

  /**
   * Reads a message anew: nothing of the result is shared with another reading. `isAnyAge` says that its age does not
   * matter.
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
  // Not shown, not even a part of one.
  if (!Array.isArray(keys))
    throw new InvalidOptionError('symmetricEncryptionKeys', 'a list of keys', `a ${typeof keys}`);
  return keys;
}
