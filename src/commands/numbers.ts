// Numbers on the command line.

import { UsageError } from '../errors.js';

/** A positive whole number. @throws UsageError (`LINOD_ERR_USAGE`) */
export function parseWholeNumber(what: string, text: string): number {
  if (/^\d{1,15}$/.test(text) && Number(text) > 0) return Number(text);
  throw new UsageError(`expected ${what} to be a positive whole number, got: ${JSON.stringify(text)}`);
}

/** A number of seconds above 0. @throws UsageError (`LINOD_ERR_USAGE`) */
export function parseSeconds(what: string, text: string, { atMost }: { readonly atMost: number }): number {
  const seconds = Number(text);
  if (text.trim() !== '' && seconds > 0 && seconds <= atMost) return seconds;
  throw new UsageError(
    `expected ${what} to be a number of seconds above 0 and at most ${atMost}, got: ${JSON.stringify(text)}`,
  );
}
