// Makes Node read the TypeScript of this repository: node --import=./scripts/typescript.mjs FILE.ts
//
// tsx works as well, but asks the file system about every import, in every test file. Compiled files are kept in
// .tap/typescript.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { register } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { threadId } from 'node:worker_threads';

// Node loads this file again, in the thread of its hooks.
const hooks = '?hooks';
if (!import.meta.url.endsWith(hooks)) register(import.meta.url + hooks);

const rootUrl = new URL('..', import.meta.url).href;
const root = fileURLToPath(rootUrl);

const options = {
  loader: 'ts',
  format: 'esm',
  platform: 'node',
  target: 'node20.12',
  // The name of a function is the name of its procedure.
  keepNames: true,
  sourcemap: 'inline',
  sourcesContent: false,
  tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
};

/** Resolves imports of this package by its own name to its sources instead of dist/. */
const ownSources = new Map(
  Object.entries(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).exports)
    .filter(([, target]) => target.default !== undefined)
    .map(([name, target]) => [
      join('linod', name),
      new URL(target.default.replace('./dist/', './').replace(/\.js$/, '.ts'), rootUrl).href,
    ]),
);

export function resolve(specifier, context, next) {
  const { parentURL } = context;
  const own = ownSources.get(specifier);
  if (own !== undefined && parentURL?.startsWith(rootUrl) && parentURL.endsWith('.ts'))
    return { url: own, format: 'module', shortCircuit: true };
  const isOurs = specifier.startsWith('file:')
    ? specifier.endsWith('.ts')
    : /^\.\.?\//.test(specifier) && parentURL?.endsWith('.ts');
  if (!isOurs) return next(specifier, context);
  const { href } = new URL(specifier.replace(/\.js$/, '.ts'), parentURL);
  return { url: href, format: 'module', shortCircuit: true };
}

export async function load(url, context, next) {
  const isTypeScript = url.endsWith('.ts');
  if (!url.startsWith(rootUrl) || !(isTypeScript || context.format === 'module')) return next(url, context);
  const path = fileURLToPath(url);
  // Modules of packages are read here, too, because the hook of tap records each of them.
  const source = isTypeScript ? await compiled(path) : readFileSync(path);
  return { format: 'module', source, shortCircuit: true };
}

async function compiled(path) {
  const text = readFileSync(path, 'utf8');
  const mark = `//${createHash('md5').update(JSON.stringify(options)).update(text).digest('hex')}\n`;
  const kept = join(root, '.tap/typescript', `${relative(root, path)}.js`);
  const found = readIfThere(kept);
  if (found?.endsWith(mark)) return found;
  const { transform } = await import('esbuild');
  const { code } = await transform(text, { ...options, sourcefile: path });
  mkdirSync(dirname(kept), { recursive: true });
  // Other processes may read the file, so it appears by a rename.
  const draft = `${kept}.${process.pid}.${threadId}`;
  writeFileSync(draft, code + mark);
  renameSync(draft, kept);
  return code;
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
