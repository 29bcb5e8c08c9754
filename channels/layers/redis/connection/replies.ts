// The error replies of Redis.

import type { LayerUnavailableError, UnavailableReason } from '../../../errors.js';

/** An error reply. The client library attaches the whole command to it. */
export interface ReplyError extends Error {
  readonly command?: { readonly name: string };
}

export function isReplyError(error: unknown): error is ReplyError {
  return error instanceof Error && error.name === 'ReplyError';
}

export function replyError(message: string): ReplyError {
  return Object.assign(new Error(message), { name: 'ReplyError' });
}

/** Whether the error is temporary, unlike a wrong password or a key of another type. */
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

/** Whether another server is the right one now. Nothing was done then. */
export function isElsewhere(error: ReplyError): boolean {
  return elsewhere.test(error.message);
}

/** Whether a key has another type than expected. */
export function isWrongType(error: unknown): boolean {
  return isReplyError(error) && error.message.startsWith('WRONGTYPE');
}

/** The meaning of an error for callers that do not know Redis. */
export function reasonOf(error: ReplyError): UnavailableReason {
  return reasons.find(([, pattern]) => pattern.test(error.message))?.[0] ?? 'refused';
}

const permanent = /^(WRONGTYPE|ERR (DB index|unknown command))\b/;

// The last two: Redis 7 and Redis 6 refuse a command of a script for lack of rights.
const denied =
  /^(DENIED|NOAUTH|NOPERM|WRONGPASS|ERR (AUTH|invalid password|ACL failure in script))\b|The user executing the script can't /;

// Redis 6 reports an error of a script inside its own sentence.
const elsewhere = /(^|-)READONLY /;

const reasons: ReadonlyArray<readonly [UnavailableReason, RegExp]> = [
  ['out-of-memory', /(^|-)OOM /],
  ['read-only', /(^|-)READONLY /],
  ['loading', /^LOADING /],
  ['access-denied', denied],
];
