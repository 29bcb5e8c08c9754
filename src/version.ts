// The version of this program.

import { createRequire } from 'node:module';

/** As in package.json, which the package's own name finds from the sources and from dist alike. */
export const version: string = readVersion();

function readVersion(): string {
  const manifest: unknown = createRequire(import.meta.url)('linod/package.json');
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest)
    return String(manifest.version);
  return 'unknown';
}
