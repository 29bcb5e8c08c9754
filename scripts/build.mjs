// `npm run build`: makes dist/, the published package: the programs and modules of package.json, and all type
// declarations.
//
// All bundles share chunks, so every import of `linod` leads to the same modules. Kysely is bundled, because Node
// takes longer to find its many files than to run them.
//
// `--no-types` omits the declarations. Exit codes: 0 done, 1 failed.

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
    // Threads and processes of runs start serve.js by its path.
    entryPoints: [...published, 'dist/src/runs/remote/serve.js'].map(sourceOf),
    outbase: '.',
    outdir: 'dist',
    bundle: true,
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    external: Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => name !== 'kysely'),
    // The modules for `import`, because esbuild cannot drop unused parts of those for `require`.
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
