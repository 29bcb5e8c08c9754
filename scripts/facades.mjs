// For build.mjs: one `linod` in a process, although threads and processes of runs have it in a file of its own.
//
// Such a thread or process loads files in CommonJS, whose compiled code can be kept: src/runs/boot.ts. A package of the application
// that imports `linod` there must get the same modules, or what it registers would not be seen. So each module that is imported by
// name is a facade: it passes on those of these files, if they have been loaded, and else the module itself.

const namespace = 'facade';
const withoutSuffix = (source) => source.replace(/\.ts$/, '');
/** Where the file leaves its modules. Of this very copy of the package: others may be around. */
export const symbol = (dist) => `Symbol.for('linod modules of ' + ${dist})`;

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
