// For build.mjs: keeps the bundle's files few.
//
// Finding, reading and linking a module takes Node 0.7 ms, however small it is. esbuild puts two sources into one file only if the very same
// programs and `import()`s need them, and with some fifty of these that makes many small files: 37 for `linod` alone. So what
// `linod` consists of is always loaded together, by each `import()` that needs most of it anyway; and so is that part of it which
// needs no database, by those that need some of that.

import { join, relative } from 'node:path';

const namespace = 'few-chunks';
const ours = /^(src|procedures)\//;

/**
 * A plugin of esbuild.
 *
 * @param inputs the sources and what they import, from the metafile of a build without it
 * @param core the source whose imports are to be in few files
 * @param slow what no light program needs: a part of the path of its sources
 */
export function fewChunks(inputs, core, slow) {
  const closure = (path, found = new Set()) => {
    if (found.has(path) || inputs[path] === undefined) return found;
    found.add(path);
    for (const { kind, path: next } of inputs[path].imports) {
      if (kind === 'import-statement') closure(next, found);
    }
    return found;
  };
  const isHeavy = (path) => [...closure(path)].some((source) => source.includes(slow));
  const late = Object.values(inputs)
    .flatMap(({ imports }) => imports)
    .filter(({ kind, path }) => kind === 'dynamic-import' && ours.test(path))
    .map(({ path }) => path);
  const neededByLight = new Set(late.filter((path) => !isHeavy(path)).flatMap((path) => [...closure(path)]));
  const light = [...closure(core)].filter((path) => neededByLight.has(path) && ours.test(path));

  return {
    name: namespace,
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\.\.?\// }, ({ kind, path, resolveDir }) => {
        if (kind !== 'dynamic-import') return undefined;
        const source = relative(process.cwd(), join(resolveDir, path)).replace(/\.js$/, '.ts');
        return ours.test(source) ? { path: source, namespace } : undefined;
      });
      onLoad({ filter: /.*/, namespace }, ({ path }) => ({
        contents: [
          ...(isHeavy(path) ? [core] : light).map((source) => `import './${source}';`),
          `export * from './${path}';`,
        ].join('\n'),
        resolveDir: process.cwd(),
      }));
    },
  };
}
