// Errors as the lines that follow a record's message.

import { inspect } from 'node:util';
import { unreadable } from './fields.js';
import type { Redaction } from './redaction.js';

/** So deep the own fields of an error are shown … */
const fieldDepth = 4;
/** … and so many errors in a row, each the cause of the one before. */
const maxCauses = 20;

/**
 * An error with its stack, its own fields, and the same of what caused it or, of an AggregateError, of each of its
 * errors; anything else that was thrown as Node shows it. Circular causes are told as such. Never throws.
 */
export function describeError(thrown: unknown, redaction?: Redaction): string {
  try {
    const shown =
      redaction !== undefined && thrown instanceof Error ? redaction.applyToError(thrown) : thrown;
    return inspect(shown, { depth: fieldDepth + countCauses(shown), breakLength: 110 });
  } catch (error) {
    return `[a value that cannot be shown: ${unreadable(error)}]`;
  }
}

function countCauses(thrown: unknown): number {
  let count = 0;
  for (let at = thrown; at instanceof Error && at.cause !== undefined && count < maxCauses; at = at.cause)
    count++;
  return count;
}
