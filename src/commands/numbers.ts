// Numbers on the command line.

import { UsageError } from '../errors.js';

/** A positive whole number. @throws UsageError (`LINOD_ERR_USAGE`) */
export function parseWholeNumber(what: string, text: string): number {
  if (/^\d{1,15}$/.test(text) && Number(text) > 0) return Number(text);
  throw new UsageError(`expected ${what} to be a positive whole number, got: ${JSON.stringify(text)}`);
}
