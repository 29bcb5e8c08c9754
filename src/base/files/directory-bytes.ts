// How much a directory holds.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The bytes of the files right in a directory; 0 if there is none. */
export function directoryBytes(directory: string): number {
  let bytes = 0;
  try {
    for (const name of readdirSync(directory))
      bytes += statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0;
  } catch {
    // Nothing was written there yet.
  }
  return bytes;
}
