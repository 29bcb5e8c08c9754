// What becomes of a delivery after an attempt: pure, from what the push service said.

import type { PushAnswer } from './post.js';

/**
 * sent: it was taken. gone: there is no such subscription any more. refused: trying again is of no use.
 * later: not before `at`, because the push service says so. failed: tried again after a pause.
 */
export type Judgement =
  | { readonly kind: 'sent' | 'gone' | 'refused' | 'failed'; readonly answer: string }
  | {
      readonly kind: 'later';
      readonly answer: string;
      readonly at: number;
      readonly whom: 'subscription' | 'service';
    };

/** After so many failed attempts a delivery is given up, if its time to live is not over before. */
export const maxAttempts = 10;

const longestPauseMs = 3_600_000;
/** A push service that wants to be left alone for longer is asked again after so long. */
const longestRetryAfterMs = 86_400_000;

/** How long to wait after the failed attempt with this number, counted from 1: 15 s, a minute, four… up to an hour. */
export function pauseAfter(attempt: number): number {
  return Math.min(15_000 * 4 ** (attempt - 1), longestPauseMs);
}

/** Source: RFC 8030, 5 and 8.4; RFC 9110, 15. */
export function judge({ status, retryAfter, text }: PushAnswer, now: number): Judgement {
  const answer = `${status}${text === '' ? '' : ` ${text}`}`;
  if (status >= 200 && status < 300) return { kind: 'sent', answer };
  if (status === 404 || status === 410) return { kind: 'gone', answer };
  if (status === 429 || status === 503) {
    const at = retryAt(retryAfter, now);
    // RFC 8030, 8.4: the limit of a rate is one of a push resource. 503 is about the whole server.
    if (at !== undefined)
      return { kind: 'later', answer, at, whom: status === 429 ? 'subscription' : 'service' };
    return { kind: 'failed', answer };
  }
  if (status === 408 || status === 425 || status >= 500) return { kind: 'failed', answer };
  return { kind: 'refused', answer };
}

/** The instant that a header `Retry-After` means, a number of seconds or a date. Source: RFC 9110, 10.2.3. */
export function retryAt(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? '';
  // Date.parse would also take `-5` for a date.
  const date = /^[A-Za-z]{3,9}, /.test(text) ? Date.parse(text) : Number.NaN;
  const at = /^\d+$/.test(text) ? now + Number(text) * 1000 : date;
  if (Number.isNaN(at)) return undefined;
  return Math.min(Math.max(at, now), now + longestRetryAfterMs);
}
