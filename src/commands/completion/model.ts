// What a shell may complete, read from the program itself.

import type { Command } from 'commander';

export interface CompletedOption {
  /** `--json`, and `-h` where it has a short form. */
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

/** A command with its place: `linod rules`. */
export interface CompletedCommand {
  readonly path: string;
  /** Its subcommands and the words that its arguments may be. */
  readonly words: ReadonlyArray<{ readonly word: string; readonly description: string }>;
  readonly options: readonly CompletedOption[];
}

/** The command and all commands below it. */
export function completedCommands(command: Command, above = ''): CompletedCommand[] {
  const path = `${above} ${command.name()}`.trim();
  const help = command.createHelp();
  const subcommands = help.visibleCommands(command);
  const choices = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
  const own = {
    path,
    words: [
      ...subcommands.map((each) => ({ word: each.name(), description: firstClause(each.description()) })),
      ...choices.map((word) => ({ word, description: '' })),
    ],
    options: help.visibleOptions(command).map((option) => ({
      flags: [option.long, option.short].flatMap((flag) => (flag == null ? [] : [flag])),
      description: firstClause(option.description),
      takesValue: option.required || option.optional,
      choices: option.argChoices ?? [],
    })),
  };
  return [own, ...subcommands.flatMap((each) => completedCommands(each, path))];
}

/** The list of a shell has one short line for each. */
function firstClause(text: string): string {
  return (text.split(/[;:(\n]/, 1)[0] ?? '').trim();
}

/** The text as one word of a shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
