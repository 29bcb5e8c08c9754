// For build.mjs: one `linod` in a process, although threads and processes of runs have it in a file of its own.
//
// Such a thread or process loads one file in CommonJS, whose compiled code can be kept: src/runs/boot.ts. A package of the application
// that imports `linod` there must get the same modules, or what it registers would not be seen. So each module that is imported by
// name is a facade: it passes on those of the file, if that has been loaded, and else the module itself.

import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const namespace = 'facade';
const withoutSuffix = (source) => source.replace(/\.ts$/, '');
/** Where the file leaves its modules. Of this very copy of the package: others may be around. */
const symbol = (dist) => `Symbol.for('linod modules of ' + ${dist})`;

/** Entries of esbuild. */
export const plainEntry = (source) => ({ in: source, out: withoutSuffix(source) });
export const facadeEntry = (source) => ({ in: `${namespace}:${source}`, out: withoutSuffix(source) });

/**
 * A plugin of esbuild.
 *
 * @param outputs what each source exports, from the metafile of a build without it
 */
export function facades(outputs) {
  const exportsOf = (source) =>
    Object.values(outputs).find(({ entryPoint }) => entryPoint === source).exports;
  return {
    name: namespace,
    setup({ onResolve, onLoad }) {
      onResolve({ filter: new RegExp(`^${namespace}:`) }, ({ path }) => ({
        path: path.slice(namespace.length + 1),
        namespace,
      }));
      onLoad({ filter: /.*/, namespace }, ({ path }) => {
        const names = exportsOf(path);
        const up = '../'.repeat(path.split('/').length - 1);
        return {
          contents: [
            `import * as own from './${path}';`,
            `const load = globalThis[${symbol(`new URL('${up}', import.meta.url).href`)}]?.['${path}'];`,
            'const module = load === undefined ? own : load();',
            ...names.map((name, i) => `const export${i} = module.${name};`),
            `export { ${names.map((name, i) => `export${i} as ${name}`).join(', ')} };`,
          ].join('\n'),
          resolveDir: process.cwd(),
        };
      });
    },
  };
}

/** The source of the file in CommonJS. A module is evaluated when it is needed. */
export function runsSource(sources) {
  const loads = sources.map((source) => `'${source}': () => require('./${source}')`);
  return [
    `globalThis[${symbol("new URL('../../', moduleUrl).href")}] = { ${loads.join(', ')} };`,
    "module.exports = require('./src/runs/serve.ts');",
  ].join('\n');
}

/**
 * A plugin of esbuild: in the file in CommonJS, `linod` loads the module of a name when that is asked for. A procedure that only writes a
 * line begins without Kysely.
 *
 * @param outputs as for {@link facades}
 */
export function lateIndex(outputs) {
  const index = 'src/index.ts';
  const { exports } = Object.values(outputs).find(({ entryPoint }) => entryPoint === index);
  return {
    name: 'late-index',
    setup({ onResolve, onLoad }) {
      // In a namespace of its own, since a file of this package would be taken for an ES module.
      onResolve({ filter: /\/index\.[jt]s$/ }, ({ path, resolveDir }) => {
        const source = join(resolveDir, path).replace(/js$/, 'ts');
        return relative('.', source) === index ? { path: source, namespace: 'late-index' } : undefined;
      });
      onLoad({ filter: /.*/, namespace: 'late-index' }, ({ path }) => {
        const found = [
          ...readFileSync(path, 'utf8').matchAll(/^export \{([^}]*)\} from '([^']+)\.js';/gm),
        ].flatMap(([, names, source]) =>
          names
            .split(',')
            .map((name) => name.trim())
            .filter((name) => name !== '' && !name.startsWith('type '))
            .map((name) => ({ name, source })),
        );
        const names = found.map(({ name }) => name);
        if (names.sort().join() !== [...exports].sort().join())
          throw new Error(`${index} is written otherwise by now`);
        const contents = [
          'const late = (name, load) => Object.defineProperty(exports, name, { enumerable: true, configurable: true, get() {',
          '  const value = load()[name];',
          '  Object.defineProperty(exports, name, { enumerable: true, value });',
          '  return value;',
          '} });',
          ...found.map(({ name, source }) => `late('${name}', () => require('${source}.ts'));`),
        ];
        return { contents: contents.join('\n'), resolveDir: dirname(path) };
      });
    },
  };
}

/**
 * A plugin of esbuild: what src/require-late.ts loads comes through the `require` that the file was given, and what src/runs/late-database.ts
 * leads to is evaluated when it is asked for.
 */
export const ownRequire = {
  name: 'own-require',
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/require-late\.ts$/ }, () => ({
      contents: 'export const requireLate = require;',
    }));
    onLoad({ filter: /\/src\/runs\/late-database\.ts$/ }, ({ path }) => ({
      contents: "export const lateDatabase = () => require('./database.ts');",
      resolveDir: dirname(path),
    }));
  },
};
