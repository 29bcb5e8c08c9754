// Reads the TypeScript and JavaScript files of a site, on a Node that cannot read TypeScript by itself.

import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);

type Exports = Record<string, unknown>;

/**
 * What the files of a site may import of this package. Node finds these modules by the package's own name, as
 * its `exports` say, so the files get the modules of this very program, wherever the site's directory lies.
 */
const ownModules: readonly string[] = [
  'linod',
  'linod/channels',
  'linod/testing',
  'linod/log',
  'linod/procedures',
  'linod/server',
];

/**
 * Imports a file of the site, or one of `linod`'s modules by its name, and returns its exports. A file is
 * evaluated once in a process, unless it is asked for `anew`.
 *
 * What was compiled is kept in `.cache` in the site's directory: not in the machine's temporary directory,
 * where others could write.
 */
export async function loadModule(directory: string, path: string, { anew = false } = {}): Promise<Exports> {
  if (ownModules.includes(path)) return await importOwn(path);
  if (anew) delete require.cache[path];
  // Not by `import`: for that Node would read all of it twice, to find its exports before it runs it.
  const { createJiti }: typeof import('jiti') = require('jiti');
  const jiti = createJiti(join(directory, 'linod.config.ts'), {
    fsCache: join(directory, '.cache'),
    interopDefault: false,
    virtualModules: ownModulesWhenAsked(),
  });
  return await jiti.import<Exports>(path);
}

async function importOwn(name: string): Promise<Exports> {
  return await import(name);
}

/** The loader takes promises, so that only those modules are loaded that a file imports. */
function ownModulesWhenAsked(): Record<string, unknown> {
  const modules = {};
  for (const name of ownModules) {
    Object.defineProperty(modules, name, { enumerable: true, get: () => importOwn(name) });
  }
  return modules;
}
