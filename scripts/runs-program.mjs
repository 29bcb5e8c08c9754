// For build.mjs: the two files in CommonJS that a thread or process of runs consists of, as src/runs/boot.ts loads them.
//
// The first has what every run needs, the second the rest of `linod`, which is loaded when something of it is asked for. In one file, V8
// would make all functions of all modules whenever a run's thread begins, and most begin without the database.

import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { symbol } from './facades.mjs';

const index = 'src/index.ts';
const first = 'src/runs/serve.ts';
/** Leads from the first file to the second, though nothing of it says so but a function of its own. */
const lateDatabase = { source: 'src/runs/late-database.ts', leadsTo: 'src/runs/database.ts' };
const ours = /^(src|procedures|channels)\//;

/** What stands around either file. `loadSource` gives any module of either by its source; boot.ts provides that of the other. */
export const wrapper = {
  banner: [
    '(function (exports, require, __filename, __dirname, loadOther) {',
    'const module = { exports };',
    "const moduleUrl = require('node:url').pathToFileURL(__filename);",
    'const loadSource = (source) => module.exports.modules[source]?.() ?? loadOther(source);',
  ].join(' '),
  footer: 'Object.assign(exports, module.exports, { loadSource }); })',
};

/** Which sources are in which file. @param inputs the sources and what they import, from the metafile of a build */
export function splitRuns(inputs, moduleSources) {
  const inFirst = new Set();
  const follow = (source) => {
    if (inFirst.has(source) || !ours.test(source)) return;
    inFirst.add(source);
    if (source === lateDatabase.source) return;
    for (const { kind, path } of inputs[source].imports) if (kind === 'import-statement') follow(path);
  };
  follow(first);
  const late = [...inFirst]
    .flatMap((source) => inputs[source].imports)
    .filter(({ kind }) => kind === 'dynamic-import')
    .map(({ path }) => path);
  const wanted = [
    ...late,
    lateDatabase.leadsTo,
    ...moduleSources,
    ...namesOfIndex().map(({ source }) => source),
  ];
  const inSecond = [...new Set(wanted)].filter((source) => source !== index && !inFirst.has(source));
  return { inFirst: [...inFirst], inSecond };
}

/** @param exportsOf the names that a source exports */
export function firstSource({ inFirst }, exportsOf, moduleSources) {
  const named = inFirst.map((source, i) => ({
    source,
    names: exportsOf(source).map((name, k) => ({ name, as: `name${i}_${k}` })),
  }));
  return [
    ...named.map(
      ({ source, names }) =>
        `import { ${names.map(({ name, as }) => `${name} as ${as}`).join(', ')} } from './${source}';`,
    ),
    `export { serveRuns } from './${first}';`,
    `export const modules = { '${index}': () => require('./${index}'),`,
    // Made when it is asked for: most runs ask for two of them.
    ...named.map(
      ({ source, names }) =>
        `'${source}': () => ({ ${names.map(({ name, as }) => `${name}: ${as}`).join(', ')} }),`,
    ),
    '};',
    `globalThis[${symbol("new URL('../../', moduleUrl).href")}] = {`,
    ...moduleSources.map((source) => `'${source}': () => loadSource('${source}'),`),
    '};',
  ].join('\n');
}

export function secondSource({ inSecond }) {
  return [
    'export const modules = {',
    ...inSecond.map((source) => `'${source}': () => require('./${source}'),`),
    '};',
  ].join('\n');
}

/**
 * Plugins of esbuild for either file. What the other one has comes through `loadSource`, and so does what the first one loads late.
 *
 * @param isElsewhere whether a source that is imported is to come from there
 */
export function fromElsewhere(isElsewhere) {
  return {
    name: 'from-elsewhere',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\.\.?\// }, ({ kind, path, resolveDir }) => {
        const source = relative('.', join(resolveDir, path)).replace(/js$/, 'ts');
        // In a namespace of its own, since a file of this package would be taken for an ES module.
        return isElsewhere(source, kind) ? { path: source, namespace: 'elsewhere' } : undefined;
      });
      onLoad({ filter: /.*/, namespace: 'elsewhere' }, ({ path }) => ({
        contents: `module.exports = loadSource('${path}');`,
      }));
      onLoad({ filter: /\/src\/require-late\.ts$/ }, () => ({
        contents: 'export const requireLate = require;',
      }));
      onLoad({ filter: new RegExp(`/${lateDatabase.source}$`) }, () => ({
        contents: `export const lateDatabase = () => loadSource('${lateDatabase.leadsTo}');`,
      }));
    },
  };
}

/**
 * A plugin of esbuild: in these files, `linod` loads the module of a name when that is asked for. A procedure that only writes a
 * line begins without Kysely.
 *
 * @param exported what `linod` exports
 */
export function lateIndex(exported) {
  return {
    name: 'late-index',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: new RegExp(`^\\./${index}$`) }, () => ({ path: index, namespace: 'late-index' }));
      onLoad({ filter: /.*/, namespace: 'late-index' }, () => {
        const found = namesOfIndex();
        if (
          found
            .map(({ name }) => name)
            .sort()
            .join() !== [...exported].sort().join()
        )
          throw new Error(`${index} is written otherwise by now`);
        const contents = [
          'const late = (name, source) => Object.defineProperty(exports, name, { enumerable: true, configurable: true, get() {',
          '  const value = loadSource(source)[name];',
          '  Object.defineProperty(exports, name, { enumerable: true, value });',
          '  return value;',
          '} });',
          ...found.map(({ name, source }) => `late('${name}', '${source}');`),
        ];
        return { contents: contents.join('\n') };
      });
    },
  };
}

/** What `linod` exports, each with the source that has it. */
function namesOfIndex() {
  const exports = readFileSync(index, 'utf8').matchAll(/^export \{([^}]*)\} from '([^']+)\.js';/gm);
  return [...exports].flatMap(([, names, path]) =>
    names
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '' && !name.startsWith('type '))
      .map((name) => ({ name, source: join('src', `${path}.ts`) })),
  );
}
