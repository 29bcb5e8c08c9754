// `npm run build`: makes dist/, which is what is published: the programs and modules that package.json names, and the
// declarations of all types.
//
// All of them share chunks, so that every import of `linod` leads to the same modules. Kysely is bundled, because Node takes
// longer to find its many files than to run them.
//
// `--no-types` leaves out the declarations. Exit codes: 0 done, 1 failed.

import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { run } from './bootstrap.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const { exports, bin, dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
const published = [
  ...Object.values(exports).flatMap((target) => target.default ?? []),
  ...Object.values(bin),
];

async function bundle() {
  rmSync('dist/chunks', { recursive: true, force: true });
  await build({
    format: 'esm',
    platform: 'node',
    target: 'node20.12',
    logLevel: 'warning',
    // What threads and processes of runs execute is started by its path.
    entryPoints: [...published, 'dist/src/runs/remote/serve.js'].map(sourceOf),
    outbase: '.',
    outdir: 'dist',
    bundle: true,
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    external: Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => name !== 'kysely'),
    // The modules for `import`: parts of those for `require` cannot be left out.
    mainFields: ['module', 'main'],
    sourcemap: 'linked',
    sourcesContent: false,
  });
  copyFileSync('node_modules/kysely/LICENSE', 'dist/LICENSE-kysely.txt');
}

function sourceOf(built) {
  return built.replace(/^(\.\/)?dist\//, '').replace(/\.js$/, '.ts');
}

await bundle();
if (!process.argv.includes('--no-types')) run('npx', ['tsc', '-p', 'tsconfig.json']);
