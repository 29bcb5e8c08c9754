// Many command lines in one process, for what does not depend on their having processes of their own: a process for each
// takes most of its time to load the package.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';
import { forkTypeScript } from './fork-typescript.js';
import { inTime, type ScriptName } from './programs.js';

export interface CommandLine {
  readonly script: ScriptName;
  readonly args: readonly string[];
  /** Variables that it gets besides. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What a command printed into pipes, and the exit code of its process, or the one that it would have. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process in a directory that runs commands of the package, one after the other. Ended with the test. */
export class CommandShell {
  readonly #child: ChildProcess;

  static async start(t: Test, directory: string): Promise<CommandShell> {
    const child = forkTypeScript('command-shell-child.ts', [directory]);
    t.teardown(() => child.disconnect());
    await inTime('the shell is ready', once(child, 'message'));
    return new CommandShell(child);
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Runs a command line such as `linod rule 1`, or its words. */
  async run(
    line: string | readonly string[],
    environment: CommandLine['environment'] = {},
  ): Promise<Outcome> {
    const [script, ...args] = typeof line === 'string' ? line.split(' ') : line;
    const outcome = inTime(`${line} ends`, once(this.#child, 'message'));
    this.#child.send({ script, args, environment });
    const [told] = await outcome;
    return told;
  }
}
