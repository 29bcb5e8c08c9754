// A child process that runs a TypeScript file of the tests.

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Node's argument that has it read TypeScript, from this package's directory. */
export const typescriptArg = '--import=tsx';

const exitWithParent = new URL('exit-with-parent.ts', import.meta.url).href;

/** Starts a file of this folder, with a channel for messages; it ends with this process at the latest. */
export function forkTypeScript(file: string, args: readonly string[] = []): ChildProcess {
  const path = fileURLToPath(new URL(file, import.meta.url));
  // Without tap's hooks, which come by the environment and the arguments of this process.
  const { NODE_OPTIONS: _, ...env } = process.env;
  return fork(path, [...args], { execArgv: [typescriptArg, `--import=${exitWithParent}`], env });
}
