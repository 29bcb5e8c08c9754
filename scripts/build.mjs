// `npm run build`: makes dist/, the published package: the programs and modules of package.json, and all type
// declarations.
//
// All bundles share chunks, so every import of `linod` leads to the same modules. Kysely is bundled, because Node
// takes longer to find its many files than to run them.
//
// The console's page is a bundle of its own for browsers, in dist/console/.
//
// `--no-types` omits the declarations. Exit codes: 0 done, 1 failed.

import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
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
    // A worker starts its threads and processes by these paths.
    entryPoints: [...published, 'dist/src/runs/remote/serve.js', 'dist/src/console/thread.js'].map(sourceOf),
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

/** The files have the hash of their content in their names, so that browsers can keep them for ever. */
async function bundlePage() {
  const source = 'src/console/page';
  rmSync('dist/console', { recursive: true, force: true });
  const { metafile } = await build({
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'warning',
    entryPoints: [`${source}/main.tsx`, `${source}/theme.css`],
    outdir: 'dist/console',
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    minify: true,
    metafile: true,
    sourcemap: 'linked',
    legalComments: 'linked',
    jsx: 'automatic',
    jsxImportSource: 'preact',
  });
  const outputs = Object.entries(metafile.outputs);
  const builtFrom = (name) =>
    outputs.find(([, { entryPoint }]) => entryPoint === `${source}/${name}`)[0].replace('dist/console/', '');
  // The server fills in the prefix.
  const html = readFileSync(`${source}/index.html`, 'utf8')
    .replace('{{style}}', builtFrom('theme.css'))
    .replace('{{script}}', builtFrom('main.tsx'));
  writeFileSync('dist/console/index.html', html);
  const licenses = ['preact', '@preact/signals'].map(
    (name) => `${name}\n\n${readFileSync(`node_modules/${name}/LICENSE`, 'utf8')}`,
  );
  writeFileSync('dist/console/LICENSES.txt', licenses.join('\n\n'));
  const files = outputs.map(([file]) => file).filter((file) => /\.(js|css)$/.test(file));
  const bytes = files.reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0);
  console.log(`dist/console: ${(bytes / 1000).toFixed(1)} kB gzip`);
}

await bundle();
await bundlePage();
if (!process.argv.includes('--no-types')) run('npx', ['tsc', '-p', 'tsconfig.json']);
