// The flags of the benchmarks that compare, the same for each of them.

import { parseArgs } from 'node:util';

export interface ComparisonFlags {
  readonly rounds: number;
  readonly quick: boolean;
  readonly json: boolean;
  /** The page into which the results are written. */
  readonly write: string | undefined;
  readonly isWanted: (key: string) => boolean;
}

/**
 * Reads the command line: `[--only KEY]… [--rounds N] [--quick] [--json] [--write FILE]`. What is wrong is told on stderr and
 * ends the process with 2.
 *
 * @param keys of what can be measured; `--only` also takes the beginning of some, up to a hyphen
 */
export function parseComparisonFlags(
  program: string,
  keys: readonly string[],
  defaults: { readonly rounds: number },
): ComparisonFlags {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        rounds: { type: 'string' },
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        write: { type: 'string' },
      },
    });
    const { only, quick, json, write } = values;
    const matches = (key: string, wanted: string) => key === wanted || key.startsWith(`${wanted}-`);
    for (const wanted of only ?? []) {
      if (!keys.some((key) => matches(key, wanted)))
        throw new RangeError(`expected --only to be one of ${keys.join(', ')}, got: ${wanted}`);
    }
    return {
      ...{ json, write, quick },
      rounds: positive('--rounds', values.rounds ?? (quick ? '1' : String(defaults.rounds))),
      isWanted: (key) => only === undefined || only.some((wanted) => matches(key, wanted)),
    };
  } catch (error) {
    process.stderr.write(`${program}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  }
}

function positive(flag: string, text: string): number {
  if (/^[1-9]\d?$/.test(text)) return Number(text);
  throw new RangeError(`expected ${flag} to be a whole number from 1 to 99, got: ${JSON.stringify(text)}`);
}
