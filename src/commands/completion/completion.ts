// linod completion SHELL: prints what a shell needs to complete the commands and options of linod.

import { Argument, Command } from 'commander';
import { fishCompletion } from './fish.js';
import { type CompletedCommand, completedCommands } from './model.js';
import { bashCompletion, zshCompletion } from './posix.js';

const shells: Readonly<Record<string, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

export function completionCommand(): Command {
  const command = new Command('completion')
    .description('print a script that completes linod in a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(shells)))
    .addHelpText(
      'after',
      `
Example:
  $ linod completion bash > ~/.local/share/bash-completion/completions/linod
  $ linod completion zsh > ~/.zfunc/_linod    # with ~/.zfunc in fpath
  $ linod completion fish > ~/.config/fish/completions/linod.fish`,
    )
    .action((shell: string) => {
      if (command.parent !== null)
        process.stdout.write(shells[shell]?.(completedCommands(command.parent)) ?? '');
    });
  return command;
}
