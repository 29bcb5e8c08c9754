// Where the modules of this package are that threads and processes execute.

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * The URL of a module in `dist/`, such as `src/console/thread.js`. It is found by the package's name, because a
 * bundle does not know where its sources were.
 */
export function builtModule(path: string): URL {
  const root = dirname(createRequire(import.meta.url).resolve('linod/package.json'));
  return pathToFileURL(join(root, 'dist', path));
}
