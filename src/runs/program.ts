// What threads and processes of runs execute.

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { RunProgram } from './host.js';

/**
 * The program of this very package, as built. Found by the package's name: in a bundle, the place of this code says
 * nothing of where others are. Looked for when it is needed, which it never is where that program runs.
 */
export const ownProgram: RunProgram = {
  get url() {
    return built('src/runs/boot.cjs');
  },
};

function built(path: string): URL {
  const root = dirname(createRequire(import.meta.url).resolve('linod/package.json'));
  return pathToFileURL(join(root, 'dist', path));
}
