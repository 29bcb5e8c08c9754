// Encryption as in channels_redis: Fernet tokens, with several keys so that keys can be changed.
//
// Source: docs/reference/wire.md section 6; the Fernet specification.

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { InvalidOptionError, UndecodableError } from '../errors.js';

const version = 0x80;
const timeAt = 1;
const ivAt = 9;
const ciphertextAt = 25;
const blockBytes = 16;
const hmacBytes = 32;
/** The most seconds that the clock of a token's sender may be ahead. */
const maxAheadSeconds = 60;

/** The time of reading and the maximum age of a token. */
export interface TokenAge {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** The maximum age in seconds. As in Python, whole seconds are compared. */
  readonly ttlSeconds: number;
}

/** Encrypts with the first key, and decrypts with any key. */
export class Fernet {
  readonly #keys: ReadonlyArray<{ readonly signing: Buffer; readonly encryption: Buffer }>;

  /** `keys`: at least one text, of any length. @throws InvalidOptionError, which shows no key */
  constructor(keys: readonly string[]) {
    this.#keys = keys.map((key, i) => {
      if (typeof key !== 'string')
        throw new InvalidOptionError(`symmetricEncryptionKeys[${i}]`, 'text', `a ${typeof key}`);
      const digest = createHash('sha256').update(key, 'utf8').digest();
      return { signing: digest.subarray(0, 16), encryption: digest.subarray(16) };
    });
  }

  /** Returns a token, which is ASCII text. `iv` is for tests. */
  encrypt(plaintext: Uint8Array, nowMs: number, iv: Uint8Array = randomBytes(blockBytes)): Buffer {
    const [key] = this.#keys;
    if (key === undefined)
      throw new InvalidOptionError('symmetricEncryptionKeys', 'at least one key', 'none');
    const head = Buffer.alloc(ivAt);
    head[0] = version;
    head.writeBigUInt64BE(BigInt(Math.floor(nowMs / 1000)), timeAt);
    const cipher = createCipheriv('aes-128-cbc', key.encryption, iv);
    const signed = Buffer.concat([head, iv, cipher.update(plaintext), cipher.final()]);
    const token = Buffer.concat([signed, signature(key.signing, signed)]);
    return Buffer.from(token.toString('base64').replaceAll('+', '-').replaceAll('/', '_'), 'latin1');
  }

  /** Decrypts a token; without `age` it may be of any age. @throws UndecodableError */
  decrypt(token: Uint8Array, age?: TokenAge): Buffer {
    const bytes = parse(token);
    const signed = bytes.subarray(0, -hmacBytes);
    const hmac = bytes.subarray(-hmacBytes);
    const key = this.#keys.find(({ signing }) => timingSafeEqual(signature(signing, signed), hmac));
    if (key === undefined)
      throw new UndecodableError('the token was encrypted with none of our keys, or changed on its way');
    if (age !== undefined) checkAge(bytes, age);
    try {
      const iv = bytes.subarray(ivAt, ciphertextAt);
      const decipher = createDecipheriv('aes-128-cbc', key.encryption, iv);
      return Buffer.concat([decipher.update(signed.subarray(ciphertextAt)), decipher.final()]);
    } catch (cause) {
      throw new UndecodableError('the token is signed with one of our keys but not encrypted with it', {
        cause,
      });
    }
  }
}

function parse(token: Uint8Array): Buffer {
  const text = Buffer.from(token.buffer, token.byteOffset, token.byteLength).toString('latin1');
  if (!/^[\w-]*={0,2}$/.test(text) || text.length % 4 !== 0)
    throw new UndecodableError('the token is no URL-safe base64');
  const bytes = Buffer.from(text, 'base64url');
  const ciphertextBytes = bytes.length - ciphertextAt - hmacBytes;
  if (bytes[0] !== version || ciphertextBytes < blockBytes || ciphertextBytes % blockBytes !== 0)
    throw new UndecodableError('the bytes are no Fernet token');
  return bytes;
}

function checkAge(bytes: Buffer, { nowMs, ttlSeconds }: TokenAge): void {
  const now = Math.floor(nowMs / 1000);
  const time = Number(bytes.readBigUInt64BE(timeAt));
  if (time + ttlSeconds < now) throw new UndecodableError(`the token is ${now - time} seconds old`);
  if (time > now + maxAheadSeconds)
    throw new UndecodableError(`the token is from ${time - now} seconds in the future`);
}

function signature(key: Buffer, signed: Buffer): Buffer {
  return createHmac('sha256', key).update(signed).digest();
}
