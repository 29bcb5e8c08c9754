// What --grep is given.

import { UsageError } from '../../errors.js';

/**
 * `/REGEX/` or `/REGEX/i` is a pattern, everything else text as it stands, also a path such as `/usr/bin`: what follows the
 * last slash has to be flags that JavaScript knows.
 *
 * @throws UsageError (`LINOD_ERR_USAGE`) for a pattern that is none
 */
export function parseWantedText(text: string): string | RegExp {
  const [, source, flags = ''] = /^\/(.+)\/([dgimsuvy]*)$/s.exec(text) ?? [];
  if (source === undefined) return text;
  if (!/^[imsu]*$/.test(flags)) {
    throw new UsageError(
      `expected the flags of --grep to be of i, m, s and u, got: ${JSON.stringify(flags)}`,
    );
  }
  try {
    return new RegExp(source, flags);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new UsageError(`expected --grep to be text or a pattern such as /refund(ed)?/i: ${problem}`);
  }
}
