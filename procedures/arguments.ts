// What a procedure was asked for with: `linod rule N run --args '{"fix":false}'`.

import { type BaseRequest, UsageError } from '../src/index.js';

/**
 * The arguments of a run as an object; empty when there are none.
 *
 * @param known the names that there may be
 * @throws UsageError (`LINOD_ERR_USAGE`)
 */
export function namedArguments(ar: BaseRequest, known: readonly string[]): Readonly<Record<string, unknown>> {
  const { args } = ar;
  if (args === null) return {};
  const text = `{ ${known.join(', ')} }`;
  if (typeof args !== 'object' || Array.isArray(args)) {
    throw new UsageError(`expected the arguments to be an object ${text}, got: ${JSON.stringify(args)}`);
  }
  for (const name of Object.keys(args)) {
    if (!known.includes(name))
      throw new UsageError(`there is no argument ${JSON.stringify(name)}; there are ${text}`);
  }
  return args as Record<string, unknown>;
}

/** @throws UsageError (`LINOD_ERR_USAGE`) */
export function booleanArgument(name: string, value: unknown, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (typeof value === 'boolean') return value;
  throw new UsageError(`expected ${name} to be true or false, got: ${JSON.stringify(value)}`);
}

/** A list of names, null for none. @throws UsageError (`LINOD_ERR_USAGE`) */
export function namesArgument(name: string, value: unknown): readonly string[] | null {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw new UsageError(`expected ${name} to be a list of names, got: ${JSON.stringify(value)}`);
}
