// A child process that runs a TypeScript file of the tests.

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Node's argument that has it read TypeScript. */
export const typescriptArg = `--import=${new URL('../../scripts/typescript.mjs', import.meta.url).href}`;

/** Starts a file of this folder, with a channel for messages; it ends with this process at the latest. */
export function forkTypeScript(file: string, args: readonly string[] = []): ChildProcess {
  // Without tap's hooks, which come by the environment and the arguments of this process.
  const { NODE_OPTIONS: _, ...env } = process.env;
  const execArgv = [typescriptArg, `--import=${new URL('exit-with-parent.ts', import.meta.url).href}`];
  return fork(fileURLToPath(new URL(file, import.meta.url)), [...args], { execArgv, env });
}
