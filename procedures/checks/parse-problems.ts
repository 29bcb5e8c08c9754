// Converts a checker's result to problems that can be stored.

import type { Problem } from './checkers.js';

/** The maximum number of stored problems of a row. */
const maxProblems = 100;
/** A message is part of an index, whose entries PostgreSQL limits. */
const maxMessageLength = 500;

/** @throws TypeError when the result is not a list of texts and problems */
export function parseProblems(result: unknown): Problem[] {
  if (result === undefined || result === null) return [];
  if (!Array.isArray(result)) throw new TypeError(`expected a list of problems, got: ${describe(result)}`);
  const problems = new Map<string, Problem>();
  for (const item of result as unknown[]) {
    const problem = parseProblem(item);
    problems.set(problem.message, problem);
    if (problems.size > maxProblems) {
      return [...problems.values()].slice(0, maxProblems).concat({
        message: `has more than ${maxProblems} problems; the first ${maxProblems} are kept`,
      });
    }
  }
  return [...problems.values()];
}

function parseProblem(item: unknown): Problem {
  const { message, fixable } =
    typeof item === 'object' && item !== null ? (item as Record<string, unknown>) : { message: item };
  if (typeof message !== 'string' || message.trim() === '') {
    throw new TypeError(`expected a text or a problem with a message, got: ${describe(item)}`);
  }
  return { message: shortened(message, maxMessageLength), fixable: fixable === true };
}

/** Limits a text to what a key can hold, without zero characters, which PostgreSQL refuses. */
export function shortened(text: string, length: number): string {
  const clean = text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text;
  return clean.length <= length ? clean : `${clean.slice(0, length - 1)}…`;
}

function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null) return `an ${value.constructor?.name ?? 'object'}`;
  return shortened(String(value), 80);
}
