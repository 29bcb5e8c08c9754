// JSON that a person wrote.

import { UsageError } from './errors.js';

/**
 * Parses JSON.
 *
 * @param source the name of the text in errors
 * @throws UsageError (`LINOD_ERR_USAGE`) with the problem and its line
 */
export function parseJson(source: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Node 22 also says `(line 1 column 2)`; the line is in the text anyway.
    const problem = String(error instanceof Error ? error.message : error).replace(/ \(line \d+ .*\)$/, '');
    const position = /at position (\d+)/.exec(problem)?.[1];
    const line = text.slice(0, Number(position)).split('\n').length;
    throw new UsageError(`${source} is no JSON${position === undefined ? '' : `, line ${line}`}: ${problem}`);
  }
}

/**
 * The same for the arguments of a run. A number cannot hold integers beyond 2^53, and a rounded one may be
 * another customer's.
 *
 * @throws UsageError (`LINOD_ERR_USAGE`)
 */
export function parseExactJson(source: string, text: string): unknown {
  const value = parseJson(source, text);
  const [integer] =
    text
      .replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')
      .match(/-?\d[\d.eE+-]*/g)
      ?.filter(isInexact) ?? [];
  if (integer === undefined) return value;
  throw new UsageError(
    `expected ${source} to have integers up to 2^53, and larger ones as texts, got: ${integer}`,
  );
}

function isInexact(token: string): boolean {
  return /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token));
}
