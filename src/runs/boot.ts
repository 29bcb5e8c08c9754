// The program of a thread or a process of runs: loads what such a one consists of, with compiled code that others before it have
// left in the site's directory.
//
// That program is two files in CommonJS, since only of such Node 20 can keep compiled code: what every run needs, and the rest.
// scripts/build.mjs makes them, with all that `linod` exports: a package of the application that imports `linod` here is given these
// very modules.

import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire, Module } from 'node:module';
import { dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { isMainThread } from 'node:worker_threads';
import { CodeCache } from './code-cache.js';
import { KeptHashes } from './kept-hashes.js';
import { lateModule } from './late-module.js';
import type { serveRuns } from './serve.js';

/** The names of the program's two files, and what changes with them. Set by scripts/build.mjs. */
declare const parts: readonly [Part, Part];

interface Part {
  readonly file: string;
  readonly version: string;
}

/** Gives a module by its source, `src/errors.ts`. */
type LoadSource = (source: string) => object;

interface PartExports {
  readonly loadSource: LoadSource;
  /** The first has it. */
  readonly serveRuns?: typeof serveRuns;
}

type Evaluate = (
  exports: object,
  require: NodeJS.Require,
  filename: string,
  dirname: string,
  loadOther: LoadSource,
) => void;

const require = createRequire(__filename);
/** Not an argument of the procedures, of which some packages read what is for them from there. */
const [site = '.'] = process.argv.splice(2);

/**
 * V8 takes no code that was compiled under other options, and the limit of memory is one, though it means nothing to code. The limit
 * itself has been taken over long since; for threads that the procedures start it is there again afterwards.
 */
function withoutMemoryLimit<T>(work: () => T): T {
  const option = /^--max-old-space-size=/;
  const limit = isMainThread ? process.execArgv.findLast((argument) => option.test(argument)) : undefined;
  if (limit === undefined) return work();
  setFlagsFromString('--max-old-space-size=0');
  try {
    return work();
  } finally {
    setFlagsFromString(limit);
  }
}

/** What is imported by much that is loaded, and used by few runs. */
const late = new Set([
  'node:assert',
  'node:child_process',
  'node:crypto',
  'node:fs/promises',
  'node:net',
  'node:timers/promises',
  'node:v8',
  'signal-exit',
]);

/** `require` as the program and the loader of TypeScript are given it. */
function requireLittle(all: NodeJS.Require): NodeJS.Require {
  const little = (name: string): unknown => {
    if (late.has(name)) return lateModule(() => all(name));
    return name === 'jiti' ? requireJiti() : all(name);
  };
  return Object.assign(little, all);
}

/** The loader of TypeScript, which is large, with compiled code; a version that is made otherwise is loaded as ever. */
function requireJiti(): unknown {
  // Not `require.resolve`: for that Node loads what reads `exports`, which takes 1 ms.
  const found = require.resolve
    .paths('jiti')
    ?.map((directory) => join(directory, 'jiti'))
    .find((directory) => existsSync(directory));
  if (found === undefined) return require('jiti');
  const directory = realpathSync(found);
  const [small, large] = [join(directory, 'lib/jiti.cjs'), join(directory, 'dist/jiti.cjs')];
  if (!existsSync(small) || !existsSync(large)) return require('jiti');
  if (require.cache[large] === undefined) {
    const { version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
    const script = withoutMemoryLimit(() => cache.compile(large, { version, wrap: Module.wrap }));
    const module = new Module(large);
    module.filename = large;
    script.runInThisContext()(module.exports, requireForJiti(large), module, large, dirname(large));
    module.loaded = true;
    require.cache[large] = module;
  }
  return require(small);
}

/** jiti names and knows by hashes what it has kept: those that it takes in the worker, where it asks whether MD5 is allowed. */
function hashForJiti(text: string): string {
  const { createHash, getFips }: typeof import('node:crypto') = require('node:crypto');
  return createHash(getFips() === 0 ? 'md5' : 'sha256')
    .update(text)
    .digest('hex');
}

function createHashForJiti(algorithm: string): object {
  if (algorithm !== 'md5') return require('node:crypto').createHash(algorithm);
  return { update: (text: string) => ({ digest: () => hashes.of(text) }) };
}

/** What jiti uses of these. The last two are for its notes for debugging: how long something took, and whether they may be in colour. */
const enoughForJiti: Readonly<Record<string, object>> = {
  'node:crypto': { createHash: createHashForJiti },
  'node:perf_hooks': { performance: Date },
  'node:tty': {},
};

function requireForJiti(file: string): NodeJS.Require {
  const little = requireLittle(createRequire(file));
  return Object.assign((name: string) => enoughForJiti[name] ?? little(name), little);
}

/** @param loadOther gives the modules of the other part */
function load({ file, version }: Part, loadOther: LoadSource): PartExports {
  const path = join(__dirname, file);
  const script = withoutMemoryLimit(() => cache.compile(path, { version }));
  const evaluate: Evaluate = script.runInThisContext();
  const exports = {};
  evaluate(exports, requireLittle(require), path, __dirname, loadOther);
  return exports as PartExports;
}

const cacheDirectory = join(site, '.cache');
const cache = withoutMemoryLimit(() => new CodeCache(cacheDirectory));
const hashes = new KeptHashes(join(cacheDirectory, 'hashes.json'), hashForJiti);
let rest: PartExports | undefined;
const program: PartExports = load(parts[0], (source) => {
  rest ??= load(parts[1], program.loadSource);
  return rest.loadSource(source);
});
program.serveRuns?.(() => {
  withoutMemoryLimit(() => cache.keep());
  hashes.keep();
});
