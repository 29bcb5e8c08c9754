// The other end of command-shell.ts: runs the commands of the package, one after the other.

import type { Command } from 'commander';
import { procedureCommands } from '../../procedures/commands/index.js';
import { linodProgram } from '../../src/commands/linod.js';
import { main } from '../../src/commands/main.js';
import { initiateCommand } from '../../src/commands/start/initiate.js';
import { runworkerCommand } from '../../src/commands/start/runworker.js';
import type { CommandLine, Outcome } from './command-shell.js';
import type { ScriptName } from './programs.js';

const programs: Readonly<Record<ScriptName, () => Command>> = {
  runworker: runworkerCommand,
  initiate_linod: initiateCommand,
  linod: () => linodProgram(procedureCommands()),
};

/** Collects what is written to a stream of this process, until it is told to stop. */
function capture(stream: NodeJS.WriteStream): () => string {
  const { write } = stream;
  let text = '';
  stream.write = (chunk: Uint8Array | string, ...rest: unknown[]) => {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    const written = rest.at(-1);
    if (typeof written === 'function') process.nextTick(written);
    return true;
  };
  return () => {
    stream.write = write;
    return text;
  };
}

async function run({ script, args, environment }: CommandLine): Promise<Outcome> {
  const stdout = capture(process.stdout);
  const stderr = capture(process.stderr);
  process.exitCode = 0;
  Object.assign(process.env, environment);
  try {
    await main(programs[script](), args);
  } finally {
    // What a command listens to until its process ends.
    for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners('error');
    for (const name of Object.keys(environment)) delete process.env[name];
  }
  const outcome = { code: Number(process.exitCode), stdout: stdout(), stderr: stderr() };
  process.exitCode = 0;
  return outcome;
}

process.chdir(process.argv.at(-1) ?? '');
process.env.TZ = 'UTC';
process.on('message', async (line: CommandLine) => {
  process.send?.(await run(line));
});
process.send?.('ready');
