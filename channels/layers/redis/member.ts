// A message as a member of a sorted set: random bytes that make equal messages different, then the message.

import { randomBytes } from 'node:crypto';
import type { Received } from '../../application.js';
import type { MessageCodec } from '../../codec/codec.js';
import { UndecodableError } from '../../errors.js';
import { reservedKey } from '../../layer.js';

/** A message decoded from a member. */
export interface ReadMember {
  readonly message: Received;
  /** The value of the reserved key: the full names of the message's channels. */
  readonly channels: readonly string[] | undefined;
}

/** Source: docs/reference/wire.md section 2. */
export class Members {
  readonly #codec: MessageCodec;
  readonly #prefixLength: number;

  constructor(codec: MessageCodec, randomPrefixLength: number) {
    this.#codec = codec;
    this.#prefixLength = randomPrefixLength;
  }

  /**
   * Returns the member of a message; `channel` is its process-specific channel.
   *
   * @throws InvalidMessageError
   */
  write(message: Readonly<Record<string, unknown>>, channel?: string): Buffer {
    const body = this.#codec.encode(channel === undefined ? message : { ...message, [reservedKey]: channel });
    return Buffer.concat([randomBytes(this.#prefixLength), body]);
  }

  /**
   * Encodes a group's message once. Returns a function that makes a member for each list of channels.
   *
   * @throws InvalidMessageError
   */
  writeForGroup(message: Readonly<Record<string, unknown>>): (channels: readonly string[]) => Buffer {
    const complete = this.#codec.encodeBut(message, reservedKey);
    return (channels) => Buffer.concat([randomBytes(this.#prefixLength), complete(channels)]);
  }

  /**
   * Decodes a member; the result shares nothing with other results. `isAnyAge` ignores the message's age.
   * Returns the error of an undecodable member.
   */
  read(member: Buffer, isAnyAge = false): ReadMember | UndecodableError {
    try {
      return this.#read(member, isAnyAge);
    } catch (error) {
      if (error instanceof UndecodableError) return error;
      throw error;
    }
  }

  #read(member: Buffer, isAnyAge: boolean): ReadMember {
    if (member.length < this.#prefixLength)
      throw new UndecodableError(`a member of ${member.length} bytes is shorter than the random prefix`);
    const message = this.#codec.decode(member.subarray(this.#prefixLength), isAnyAge);
    if (!Object.hasOwn(message, reservedKey)) return { message, channels: undefined };
    const { [reservedKey]: channels, ...rest } = message;
    return { message: rest, channels: namesOf(channels) };
  }
}

function namesOf(channels: unknown): readonly string[] | undefined {
  if (typeof channels === 'string') return [channels];
  if (Array.isArray(channels)) return channels.filter((name) => typeof name === 'string');
  return undefined;
}
