// Makes build-tests/: each source and each test as JavaScript, by itself, in the same folders.
//
// A test file that is compiled while it runs takes a second of processor time before its first assertion, and there
// are hundreds. What is compiled here starts at once. It still finds what stands beside its source: `import.meta.url` and
// `import.meta.dirname` are those of the source.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, transform } from 'esbuild';

const folders = ['channels', 'procedures', 'scripts', 'src', 'test'];
/** Packages of many files that most tests load: each is put together into one. */
const packages = ['kysely', 'tap', 'valibot'];

/** Compiles all of them below a folder, which is made anew. */
export async function compileTests(target) {
  rmSync(target, { recursive: true, force: true });
  const sources = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  );
  await Promise.all([
    ...sources.map((source) => compile(source, compiledPath(target, source))),
    ...packages.map((name) => putTogether(name, join(target, 'node_modules', name))),
  ]);
}

/** Where a source is found after that. */
export function compiledPath(target, source) {
  return join(target, source.replace(/\.ts$/, '.js'));
}

/** A text with places in the sources instead of those in what was compiled, as stacks of errors have them. */
export function withPlacesInSources(target, text) {
  const maps = new Map();
  const place = new RegExp(`[^\\s('"]*${target}/([^\\s('"]+\\.js):(\\d+):(\\d+)`, 'g');
  return text.replace(place, (whole, path, line, column) => {
    if (!maps.has(path)) maps.set(path, mapOf(join(target, path)));
    const { originalLine, originalColumn } = maps.get(path)?.findEntry(line - 1, column - 1) ?? {};
    if (originalLine === undefined) return whole;
    return `${path.replace(/\.js$/, '.ts')}:${originalLine + 1}:${originalColumn + 1}`;
  });
}

function mapOf(path) {
  const [, data] =
    /^\/\/# sourceMappingURL=data:application\/json;base64,(.+)$/m.exec(readFileSync(path, 'utf8')) ?? [];
  return data === undefined ? undefined : new SourceMap(JSON.parse(Buffer.from(data, 'base64').toString()));
}

const common = { format: 'esm', platform: 'node', target: 'node20.12' };

async function compile(source, output) {
  const path = resolve(source);
  const { code } = await transform(readFileSync(path, 'utf8'), {
    ...common,
    loader: 'ts',
    // Procedures are told by the names of their functions.
    keepNames: true,
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
    sourcefile: path,
    sourcemap: 'inline',
    sourcesContent: false,
    define: {
      'import.meta.url': JSON.stringify(pathToFileURL(path).href),
      'import.meta.dirname': JSON.stringify(dirname(path)),
    },
  });
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(output, code);
}

async function putTogether(name, folder) {
  const entry = fileURLToPath(import.meta.resolve(name));
  await build({
    ...common,
    entryPoints: [entry],
    bundle: true,
    outfile: join(folder, 'index.js'),
    keepNames: true,
    logLevel: 'error',
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(entry).href) },
    // What is required in it, such as Node's own modules, is so from where it is.
    banner: {
      js: `import { createRequire as createRequireHere } from 'node:module'; const require = createRequireHere(${JSON.stringify(entry)});`,
    },
  });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name, type: 'module', exports: './index.js' }),
  );
}
