// The program of a thread or a process of runs: loads what such a one consists of, with compiled code that others before it have
// left in the site's directory.
//
// That program is one file in CommonJS, since only of such Node 20 can keep compiled code. scripts/build.mjs makes it, with all that
// `linod` exports: a package of the application that imports `linod` here is given these very modules.

import { existsSync } from 'node:fs';
import { createRequire, Module } from 'node:module';
import { dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { isMainThread } from 'node:worker_threads';
import { CodeCache } from './code-cache.js';
import type { serveRuns } from './serve.js';

/** The name of the program's file, and what changes with it. Set by scripts/build.mjs. */
declare const programFile: string;
declare const programVersion: string;

type Evaluate = (
  exports: { serveRuns?: typeof serveRuns },
  require: NodeJS.Require,
  filename: string,
  dirname: string,
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

/** Puts the loader of TypeScript, which is large, where `require` finds it; a version that is made otherwise is loaded as ever. */
function compileJiti(): void {
  const file = join(dirname(require.resolve('jiti')), '../dist/jiti.cjs');
  if (require.cache[file] !== undefined || !existsSync(file)) return;
  const script = withoutMemoryLimit(() => cache.compile(file, { wrap: Module.wrap }));
  const module = new Module(file);
  module.filename = file;
  script.runInThisContext()(module.exports, createRequire(file), module, file, dirname(file));
  module.loaded = true;
  require.cache[file] = module;
}

/** That of the program. */
const requireKept: NodeJS.Require = Object.assign((name: string) => {
  if (name === 'jiti') compileJiti();
  return require(name);
}, require);

const path = join(__dirname, programFile);
const cache = withoutMemoryLimit(() => new CodeCache(join(site, '.cache')));
const program = withoutMemoryLimit(() => cache.compile(path, { version: programVersion }));
const evaluate: Evaluate = program.runInThisContext();
const exports: Parameters<Evaluate>[0] = {};
evaluate(exports, requireKept, path, __dirname);
exports.serveRuns?.(() => withoutMemoryLimit(() => cache.keep()));
