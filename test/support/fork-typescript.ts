// A child process that runs a TypeScript file of the tests.

import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Node's argument that has it read TypeScript, from this package's directory. */
export const typescriptArg = '--import=tsx';

/** Where `npm test` has compiled the tests to; relative to the package's directory. */
const compiled = process.env.COMPILED_TESTS;
const root = fileURLToPath(new URL('../..', import.meta.url));

/** Starts a file of this folder, with a channel for messages; it ends with this process at the latest. */
export function forkTypeScript(file: string, args: readonly string[] = []): ChildProcess {
  // Without tap's hooks, which come by the environment and the arguments of this process.
  const { NODE_OPTIONS: _, ...env } = process.env;
  const execArgv = compiled === undefined ? [typescriptArg] : [];
  execArgv.push(`--import=${pathToFileURL(runnable('exit-with-parent.ts')).href}`);
  return fork(runnable(file), [...args], { execArgv, env });
}

/** The path of a file of this folder that the child process runs. */
function runnable(file: string): string {
  if (compiled === undefined) return fileURLToPath(new URL(file, import.meta.url));
  return join(root, compiled, 'test', 'support', file.replace(/\.ts$/, '.js'));
}
