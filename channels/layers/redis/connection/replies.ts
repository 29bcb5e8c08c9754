// What Redis means by an error that it answers with.

import type { LayerUnavailableError, UnavailableReason } from '../../../errors.js';

/** An error that Redis answered with. The client library attaches the whole command to it. */
export interface ReplyError extends Error {
  readonly command?: { readonly name: string };
}

export function isReplyError(error: unknown): error is ReplyError {
  return error instanceof Error && error.name === 'ReplyError';
}

export function replyError(message: string): ReplyError {
  return Object.assign(new Error(message), { name: 'ReplyError' });
}

/** Whether Redis will say otherwise by itself soon, unlike a wrong password or a key of another type. */
export function isTemporary(error: ReplyError): boolean {
  return !isForGood(error);
}

/** Whether what became of such an answer will stay so. */
export function isPermanent(error: unknown): boolean {
  const cause = (error as LayerUnavailableError | undefined)?.cause;
  return cause instanceof Error && isForGood(cause);
}

function isForGood({ message }: Error): boolean {
  return denied.test(message) || permanent.test(message);
}

/** Whether another server than this one is the right one now. Nothing was done then. */
export function isElsewhere(error: ReplyError): boolean {
  return elsewhere.test(error.message);
}

/** Whether a key holds something else than it should. */
export function isWrongType(error: unknown): boolean {
  return isReplyError(error) && error.message.startsWith('WRONGTYPE');
}

/** What the error means to those who do not know Redis. */
export function reasonOf(error: ReplyError): UnavailableReason {
  return reasons.find(([, pattern]) => pattern.test(error.message))?.[0] ?? 'refused';
}

const permanent = /^(WRONGTYPE|ERR (DB index|unknown command))\b/;

// The last two are what Redis 7 and Redis 6 say when a script calls a command for which its user has no right.
const denied =
  /^(DENIED|NOAUTH|NOPERM|WRONGPASS|ERR (AUTH|invalid password|ACL failure in script))\b|The user executing the script can't /;

// Redis 6 tells of an error inside of a script in the middle of its own sentence.
const elsewhere = /(^|-)READONLY /;

const reasons: ReadonlyArray<readonly [UnavailableReason, RegExp]> = [
  ['out-of-memory', /(^|-)OOM /],
  ['read-only', /(^|-)READONLY /],
  ['loading', /^LOADING /],
  ['access-denied', denied],
];
