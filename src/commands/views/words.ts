// Numbers that a person writes on the command line.

import { durationRule, inUnitOf } from '../../base/duration.js';
import { UsageError } from '../../base/errors.js';

/** A whole number, positive unless it may be 0. @throws UsageError (`LINOD_ERR_USAGE`) */
export function parseWholeNumber(what: string, text: string, least: 0 | 1 = 1): number {
  if (/^\d{1,15}$/.test(text) && Number(text) >= least) return Number(text);
  const expected = least === 0 ? 'a whole number' : 'a positive whole number';
  throw new UsageError(`expected ${what} to be ${expected}, got: ${JSON.stringify(text)}`);
}

/** For an option that may be repeated. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** A number of seconds, or a duration; above 0 unless `orNone`. @throws UsageError (`LINOD_ERR_USAGE`) */
export function parseSeconds(
  what: string,
  text: string,
  { atMost, orNone = false }: { readonly atMost: number; readonly orNone?: boolean },
): number {
  const seconds = Number(inUnitOf('Seconds', text));
  if (text.trim() !== '' && seconds <= atMost && (seconds > 0 || (orNone && seconds === 0))) return seconds;
  const range = orNone ? `from 0 to ${atMost}` : `above 0 and at most ${atMost}`;
  throw new UsageError(
    `expected ${what} to be a number of seconds ${range}, or ${durationRule}, got: ${JSON.stringify(text)}`,
  );
}

/** `--grace` as a setting. @throws UsageError (`LINOD_ERR_USAGE`) */
export function graceOverride(text: string | undefined): { readonly graceSeconds?: number } {
  if (text === undefined) return {};
  return { graceSeconds: parseSeconds('--grace', text, { atMost: 86_400, orNone: true }) };
}
