// Whatever a procedure throws, as text.

import { inspect } from 'node:util';

/** What a job keeps of what was thrown: at most so many characters. */
const maxText = 64 * 1024;

/** An error with its stack, its fields and its causes; anything else as it is shown, behind `threw`. */
export function describeThrown(error: unknown): string {
  const text = inspect(error, { depth: 4, breakLength: 110 });
  const told = error instanceof Error ? text : `threw ${text}`;
  return told.length > maxText ? `${told.slice(0, maxText)}…` : told;
}

/** The same in one line, without the place. */
export function headline(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : inspect(error, { depth: 0 });
  return text.split('\n', 1)[0] ?? '';
}
