// Reads the TypeScript and JavaScript files of a site, on a Node that cannot read TypeScript by itself.

import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);

/**
 * What the files of a site may import of this package. They get the modules
 * of this very program, so that what they register is seen here, wherever the site's directory lies. This is also
 * the one place where the daemon reaches into procedures/: as a plug-in, by its name.
 */
const ownModules: Readonly<Record<string, () => Promise<Exports>>> = {
  linod: () => import('../index.js'),
  'linod/channels': () => import('../../channels/index.js'),
  'linod/server': () => import('../../channels/server/index.js'),
  'linod/testing': () => import('../testing.js'),
  'linod/log': () => import('../log/index.js'),
  'linod/procedures': () => import('../../procedures/index.js'),
};

type Exports = Record<string, unknown>;

/**
 * Imports a file of the site, or one of `linod`'s modules by its name, and returns its exports. A file is evaluated
 * once in a process, unless it is asked for `anew`.
 *
 * What was compiled is kept in `.cache` in the site's directory: not in the machine's temporary directory, where
 * others could write.
 */
export async function loadModule(directory: string, path: string, { anew = false } = {}): Promise<Exports> {
  const own = ownModules[path];
  if (own !== undefined) return await own();
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

/** The loader takes promises, so that only those modules are loaded that a file imports. */
function ownModulesWhenAsked(): Record<string, unknown> {
  const modules = {};
  for (const [name, load] of Object.entries(ownModules)) {
    Object.defineProperty(modules, name, { enumerable: true, get: load });
  }
  return modules;
}
