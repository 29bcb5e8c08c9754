// Passwords as scrypt keeps them: `scrypt$COST$SALT$HASH`.

import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { UsageError } from '../../base/errors.js';
import { RefusedError } from '../errors.js';

/** log2 of N. With r = 8 one hash takes 32 MiB, and three of them in turn make it as slow as one of 96 MiB. */
const cost = 15;
const parameters = { r: 8, p: 3, maxmem: 256 * 1024 * 1024 };
const hashBytes = 32;

const leastLength = 8;
const mostLength = 200;
/** Sign-ins that may wait for their turn. */
const maxWaiting = 20;

let waiting = 0;
let last: Promise<unknown> = Promise.resolve();

/** @throws UsageError for a password that is too short or too long */
export async function hashPassword(password: string): Promise<string> {
  const { length } = [...password];
  if (length < leastLength || length > mostLength)
    throw new UsageError(`expected a password of ${leastLength} to ${mostLength} characters, got ${length}`);
  const salt = randomBytes(16);
  const hash = await derive(password, salt, cost);
  return ['scrypt', cost, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

/**
 * Compares a password with a hash. Without a hash it takes the same time, so that nobody learns which users there are.
 *
 * @throws RefusedError with 429 when too many others wait
 */
export async function isPassword(password: string, stored: string | undefined): Promise<boolean> {
  const [, log = '', salt = '', hash = ''] = /^scrypt\$(\d+)\$([\w-]+)\$([\w-]+)$/.exec(stored ?? '') ?? [];
  const expected = Buffer.from(hash, 'base64url');
  const found = await inTurn(() =>
    derive(password, Buffer.from(salt, 'base64url'), log === '' ? cost : Number(log)),
  );
  return expected.length === found.length && timingSafeEqual(expected, found);
}

/** One at a time: the threads that do it also read the files of the worker. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (waiting >= maxWaiting)
    throw new RefusedError(429, 'LINOD_ERR_TOO_MANY_SIGN_INS', 'too many people sign in at once; try again');
  waiting++;
  const turn = last.then(work);
  last = turn.catch(() => undefined);
  try {
    return await turn;
  } finally {
    waiting--;
  }
}

function derive(password: string, salt: Buffer, log: number): Promise<Buffer> {
  const options: ScryptOptions = { ...parameters, N: 2 ** log };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, hashBytes, options, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}
