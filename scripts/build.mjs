// `npm run build`: makes dist/, which is what is published: the programs and modules that package.json names, bundled, and the
// declarations of all types.
//
// A program of 500 files spends most of its start on finding and reading them, and every thread that runs a procedure does
// so anew. So what the package exports is put together into a few files, with those parts of kysely and valibot that it
// uses, whose licences come along. All share one set of chunks: what is registered through one module is seen
// by the others. The sources are published beside them, and maps lead there: they are what one reads.
//
// `--programs` makes, instead of the declarations, build/: each source by itself, for the benchmarks and the demo.
// Exit codes: 0 done, 1 failed.

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { run } from './bootstrap.mjs';
import { facadeEntry, facades, plainEntry } from './facades.mjs';
import { fewChunks } from './few-chunks.mjs';
import { firstSource, fromElsewhere, lateIndex, secondSource, splitRuns, wrapper } from './runs-program.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

/** What is put into the bundle; the rest is loaded from node_modules, and much of it only when it is needed. */
const bundled = ['kysely', 'valibot'];
/** Programs that no name of package.json leads to: they are started by their path. */
const startedByPath = ['src/runs/orphan-watch.ts'];

const { exports, bin, dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));

const sourceOf = (built) => built.replace(/^(\.\/)?dist\//, '').replace(/\.js$/, '.ts');
/** The sources of what is imported by name, and of the programs. */
const modules = Object.values(exports).flatMap((target) => target.default ?? []);
const moduleSources = modules.map(sourceOf);
const programSources = [...Object.values(bin).map(sourceOf), ...startedByPath];

const common = {
  format: 'esm',
  platform: 'node',
  target: 'node20.12',
  outbase: '.',
  write: false,
  logLevel: 'warning',
};

const bundling = {
  ...common,
  outdir: 'dist',
  bundle: true,
  external: Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => !bundled.includes(name)),
  // Errors, consumers and procedures are told by the names of their classes and functions.
  keepNames: true,
  // A program has its text in memory as long as it runs. With comments it is larger by half, and with one letter in them that is not
  // of ASCII V8 takes twice as much for each.
  minifyWhitespace: true,
  lineLimit: 130,
  // For debuggers, and for stack traces with --enable-source-maps.
  sourcemap: 'linked',
  sourcesContent: false,
  // The modules for import: of those for require nothing could be left out.
  mainFields: ['module', 'main'],
};

async function bundle() {
  const options = { ...bundling, splitting: true, chunkNames: 'chunks/[name]-[hash]' };
  const sources = [...moduleSources, ...programSources];
  const { metafile } = await build({ ...options, entryPoints: sources, metafile: true });
  const { outputFiles } = await build({
    ...options,
    entryPoints: [...moduleSources.map(facadeEntry), ...programSources.map(plainEntry)],
    plugins: [facades(metafile.outputs), fewChunks(metafile.inputs, 'src/index.ts', '/kysely/')],
  });
  keepUpToDate('dist', [...outputFiles, ...(await bundleRuns(metafile.outputs))].map(nameFewer));
}

/**
 * The program of threads and processes of runs: two files in CommonJS, as src/runs/boot.ts loads them, and that. They have all that is
 * imported by name, and show it to the modules that package.json names: see facades.mjs.
 */
async function bundleRuns(outputs) {
  const options = {
    ...bundling,
    format: 'cjs',
    outbase: undefined,
    outdir: 'dist/src/runs',
    outExtension: { '.js': '.cjs' },
    define: { 'import.meta.url': 'moduleUrl' },
    // In code that was compiled before, `import` finds packages of the directory that it runs in, not of this file's.
    supported: { 'dynamic-import': false },
  };
  const bundlePart = async (name, contents, plugins) => {
    const { outputFiles } = await build({
      ...options,
      stdin: { contents, sourcefile: `${name}.js`, resolveDir: process.cwd() },
      entryNames: `${name}-[hash]`,
      banner: { js: wrapper.banner },
      footer: { js: wrapper.footer },
      plugins,
    });
    const file = basename(outputFiles.find(({ path }) => path.endsWith('.cjs')).path);
    return { file, version: file.slice(name.length + 1, -'.cjs'.length), outputFiles };
  };
  const { metafile } = await build({ ...bundling, entryPoints: ['src/runs/serve.ts'], metafile: true });
  const split = splitRuns(metafile.inputs, moduleSources);
  const exportsOf = await exportsOfEach(split.inFirst);
  const isIndex = (source) => source === 'src/index.ts';
  const { exports: exported } = Object.values(outputs).find(({ entryPoint }) => isIndex(entryPoint));
  const program = await bundlePart('program', firstSource(split, exportsOf, moduleSources), [
    lateIndex(exported),
    fromElsewhere((_, kind) => kind === 'dynamic-import'),
  ]);
  const rest = await bundlePart('rest', secondSource(split), [
    fromElsewhere((source) => isIndex(source) || split.inFirst.includes(source)),
  ]);
  const parts = [program, rest].map(({ file, version }) => ({ file, version }));
  const boot = await build({
    ...options,
    entryPoints: ['src/runs/boot.ts'],
    define: { parts: JSON.stringify(parts) },
  });
  return [...program.outputFiles, ...rest.outputFiles, ...boot.outputFiles];
}

/** The names that sources export. */
async function exportsOfEach(sources) {
  const { metafile } = await build({ ...common, entryPoints: sources, outdir: 'dist', metafile: true });
  const outputs = Object.values(metafile.outputs);
  return (source) => outputs.find(({ entryPoint }) => entryPoint === source).exports;
}

async function compileEach() {
  const sources = ['channels', 'procedures', 'scripts', 'src'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  );
  const { outputFiles } = await build({ ...common, entryPoints: sources, outdir: 'build' });
  keepUpToDate('build', outputFiles);
}

/**
 * Of functions that have no name esbuild gives each its own when it is made: eight times in each run of a procedure, which took 4 % of
 * the time of an empty one. They are not told by their names; what is, is renamed only where esbuild has changed the name.
 */
function nameFewer(file) {
  const { text } = file;
  if (!/\bvar __name ?=/.test(text)) return file;
  const define = /\bvar __name ?= ?\(target, ?value\) ?=> ?(?=__defProp\(target, ?"name", ?\{)/;
  if (!define.test(text)) throw new Error('esbuild defines __name otherwise by now');
  const cheap = text.replace(define, '$&target.name === value || target.name === "" ? target : ');
  return { path: file.path, contents: Buffer.from(cheap) };
}

/**
 * Writes what has changed, and removes JavaScript that is not made any more. A program that is running, or starts
 * meanwhile, finds its files whole.
 */
function keepUpToDate(folder, files) {
  const wanted = new Set(files.map(({ path }) => path));
  for (const { path, contents } of files) {
    if (existsSync(path) && readFileSync(path).equals(contents)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, contents);
    renameSync(`${path}.new`, path);
  }
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(process.cwd(), folder, name);
    if (/\.c?js(\.map)?$/.test(name) && !wanted.has(path)) rmSync(path);
  }
}

function writeLicences() {
  const texts = bundled.map((name) => {
    const folder = join('node_modules', name);
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${folder} has no licence to pass on`);
    return `${name}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  });
  const text = `What is in these files of other packages, and under which licence:\n\n${texts.join('\n----\n\n')}`;
  writeFileSync('dist/LICENSES-OF-OTHERS.txt', text);
}

await bundle();
writeLicences();
if (process.argv.includes('--programs')) await compileEach();
else if (!process.argv.includes('--no-types')) run('npx', ['tsc', '-p', 'tsconfig.json']);
