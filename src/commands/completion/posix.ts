// Completion for bash and zsh. Both follow the words of the line through the same cases.

import { type CompletedCommand, quoted } from './model.js';

export function bashCompletion(commands: readonly CompletedCommand[]): string {
  const words = ({ words, options }: CompletedCommand) =>
    quoted([...words.map(({ word }) => word), ...options.flatMap(({ flags }) => flags)].join(' '));
  return `_linod() {
  local cur=\${COMP_WORDS[COMP_CWORD]} at=linod i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
${descent(commands, `at="$at \${COMP_WORDS[i]}"`)}
    esac
  done
  case "$at \${COMP_WORDS[COMP_CWORD - 1]}" in
${values(commands, (choices) => `COMPREPLY=($(compgen -W ${quoted(choices.join(' '))} -- "$cur")); return`)}
  esac
  case "$at" in
${commands.map((command) => `    ${quoted(command.path)}) COMPREPLY=($(compgen -W ${words(command)} -- "$cur")) ;;`).join('\n')}
  esac
}
complete -o default -F _linod linod
`;
}

export function zshCompletion(commands: readonly CompletedCommand[]): string {
  const item = (word: string, description: string) =>
    quoted(`${word.replaceAll(':', '\\:')}${description === '' ? '' : `:${description}`}`);
  const items = ({ words, options }: CompletedCommand) => [
    ...words.map(({ word, description }) => item(word, description)),
    ...options.flatMap(({ flags, description }) => flags.map((flag) => item(flag, description))),
  ];
  return `#compdef linod
_linod() {
  local at=linod i
  local -a items
  for ((i = 2; i < CURRENT; i++)); do
    case "$at $words[i]" in
${descent(commands, 'at="$at $words[i]"')}
    esac
  done
  case "$at $words[CURRENT-1]" in
${values(commands, (choices) => (choices.length === 0 ? '_files; return' : `compadd -- ${choices.map(quoted).join(' ')}; return`))}
  esac
  case "$at" in
${commands.map((command) => `    ${quoted(command.path)}) items=(${items(command).join(' ')}) ;;`).join('\n')}
  esac
  _describe linod items || _files
}
compdef _linod linod
`;
}

/** The cases of words that name a subcommand. */
function descent(commands: readonly CompletedCommand[], step: string): string {
  const below = commands.map(({ path }) => path).filter((path) => path.includes(' '));
  return `      ${below.map(quoted).join('|')}) ${step} ;;`;
}

/** The cases of options whose value comes next. */
function values(
  commands: readonly CompletedCommand[],
  complete: (choices: readonly string[]) => string,
): string {
  const cases = commands.flatMap(({ path, options }) =>
    options
      .filter(({ takesValue }) => takesValue)
      .map(({ flags, choices }) => {
        const patterns = flags.map((flag) => quoted(`${path} ${flag}`)).join('|');
        return `    ${patterns}) ${complete(choices)} ;;`;
      }),
  );
  return cases.join('\n');
}
