// Formats errors as the lines after a record's message.

import { inspect } from 'node:util';
import { unreadable } from './fields.js';
import type { Redaction } from './redaction.js';

/** Maximum depth of an error's own fields. */
const fieldDepth = 4;
/** Maximum errors in a chain of causes. */
const maxCauses = 20;

/**
 * Formats an error with its stack and its own fields, and so its cause or the errors of an AggregateError.
 * Formats any other value as Node does. Marks circular causes. Never throws.
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
