// The receiving side of Web Push: the browser and its push service. It follows the RFCs over node:crypto, so that it
// shares no code with the sender.

import {
  createDecipheriv,
  createECDH,
  createPublicKey,
  type ECDH,
  hkdfSync,
  randomBytes,
  verify,
} from 'node:crypto';

/** What a browser gives to an application. */
export interface ReceiverSubscription {
  readonly endpoint: string;
  readonly keys: { readonly p256dh: string; readonly auth: string };
}

/** A browser with its keys. */
export class PushReceiver {
  readonly #keys: ECDH;
  readonly #auth: Buffer;

  /** @param keys instead of new ones: private key and secret as base64url */
  constructor(keys?: { readonly privateKey: string; readonly auth: string }) {
    this.#keys = createECDH('prime256v1');
    if (keys === undefined) this.#keys.generateKeys();
    else this.#keys.setPrivateKey(keys.privateKey, 'base64url');
    this.#auth = keys === undefined ? randomBytes(16) : Buffer.from(keys.auth, 'base64url');
  }

  subscription(endpoint: string): ReceiverSubscription {
    const p256dh = this.#keys.getPublicKey('base64url');
    return { endpoint, keys: { p256dh, auth: this.#auth.toString('base64url') } };
  }

  /**
   * Decrypts what was posted. Source: RFC 8188, 2; RFC 8291, 3.
   *
   * @throws Error when it was not encrypted for this browser, or is of several records
   */
  decrypt(body: Buffer): string {
    const salt = body.subarray(0, 16);
    const recordSize = body.readUInt32BE(16);
    const senderKey = body.subarray(21, 21 + body.readUInt8(20));
    const record = body.subarray(21 + senderKey.length);
    if (record.length > recordSize) throw new Error('a push is one record');
    const shared = this.#keys.computeSecret(senderKey);
    const info = Buffer.concat([Buffer.from('WebPush: info\0'), this.#keys.getPublicKey(), senderKey]);
    const secret = derive(shared, this.#auth, info, 32);
    const key = derive(secret, salt, Buffer.from('Content-Encoding: aes128gcm\0'), 16);
    const nonce = derive(secret, salt, Buffer.from('Content-Encoding: nonce\0'), 12);
    const decipher = createDecipheriv('aes-128-gcm', key, nonce).setAuthTag(record.subarray(-16));
    const padded = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()]);
    const end = padded.findLastIndex((byte) => byte !== 0);
    if (padded[end] !== 2) throw new Error('the last record has to end with a 2 and zeros');
    return padded.toString('utf8', 0, end);
  }
}

function derive(secret: Buffer, salt: Buffer, info: Buffer, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, bytes));
}

/** Who says to have sent a push, and until when that is to be believed. */
export interface VapidClaims {
  readonly aud: string;
  readonly sub: string;
  /** In seconds since 1970. */
  readonly exp: number;
  /** The key that it was signed with, as base64url. */
  readonly publicKey: string;
}

/**
 * Checks a header `Authorization` as a push service does. Source: RFC 8292, 2 to 4.
 *
 * @param origin of the push service
 * @param now in ms since 1970
 * @throws Error when it is not signed with the key that it names, is for another service, or has expired
 */
export function checkVapid(authorization: string | undefined, origin: string, now: number): VapidClaims {
  const [, token = '', publicKey = ''] = /^vapid t=([\w.-]+), ?k=([\w-]+)$/.exec(authorization ?? '') ?? [];
  const [header = '', payload = '', signature = ''] = token.split('.');
  const point = Buffer.from(publicKey, 'base64url');
  const x = point.subarray(1, 33).toString('base64url');
  const y = point.subarray(33).toString('base64url');
  const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
  const signed = Buffer.from(`${header}.${payload}`);
  const isGenuine = verify(
    'sha256',
    signed,
    { key, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  );
  if (!isGenuine) throw new Error('the signature is not of the key');
  const { alg } = parsePart(header);
  if (alg !== 'ES256') throw new Error(`expected ES256, got: ${String(alg)}`);
  const { aud, sub, exp } = parsePart(payload);
  if (aud !== origin) throw new Error(`expected the audience ${origin}, got: ${String(aud)}`);
  if (typeof exp !== 'number' || exp * 1000 <= now || exp * 1000 > now + 86_400_000) {
    throw new Error(`expected an expiry within a day, got: ${String(exp)}`);
  }
  if (typeof sub !== 'string' || !/^(mailto|https):/.test(sub)) {
    throw new Error(`expected a subject to write to, got: ${String(sub)}`);
  }
  return { aud: origin, sub, exp, publicKey };
}

function parsePart(part: string): Record<string, unknown> {
  const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
  if (typeof value !== 'object' || value === null) throw new Error('expected an object');
  return { ...value };
}
