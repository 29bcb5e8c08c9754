// Numbers on the command line.

import { UsageError } from '../errors.js';

/** A positive whole number. @throws UsageError (`LINOD_ERR_USAGE`) */
export function parseWholeNumber(what: string, text: string): number {
  if (/^\d{1,15}$/.test(text) && Number(text) > 0) return Number(text);
  throw new UsageError(`expected ${what} to be a positive whole number, got: ${JSON.stringify(text)}`);
}

/** A number of seconds; above 0 unless `orNone`. @throws UsageError (`LINOD_ERR_USAGE`) */
export function parseSeconds(
  what: string,
  text: string,
  { atMost, orNone = false }: { readonly atMost: number; readonly orNone?: boolean },
): number {
  const seconds = Number(text);
  if (text.trim() !== '' && seconds <= atMost && (seconds > 0 || (orNone && seconds === 0))) return seconds;
  const range = orNone ? `from 0 to ${atMost}` : `above 0 and at most ${atMost}`;
  throw new UsageError(`expected ${what} to be a number of seconds ${range}, got: ${JSON.stringify(text)}`);
}
