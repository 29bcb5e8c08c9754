// Completion for fish.

import { type CompletedCommand, type CompletedOption, quoted } from './model.js';

export function fishCompletion(commands: readonly CompletedCommand[]): string {
  const below = commands.map(({ path }) => path).filter((path) => path.includes(' '));
  return `function __linod_at
    set -l at linod
    for word in (commandline -opc)[2..-1]
        switch "$at $word"
            case ${below.map(quoted).join(' ')}
                set at "$at $word"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c linod -e
${commands.flatMap(linesOf).join('\n')}
`;
}

function linesOf({ path, words, options }: CompletedCommand): string[] {
  const start = `complete -c linod -n "__linod_at '${path}'"`;
  return [
    ...words.map(({ word, description }) => `${start} -f -a ${quoted(word)}${describe(description)}`),
    ...options.map((option) => `${start} ${optionText(option)}${describe(option.description)}`),
  ];
}

function optionText({ flags, takesValue, choices }: CompletedOption): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  if (!takesValue) return names.join(' ');
  const values = choices.length === 0 ? '-r' : `-x -a ${quoted(choices.join(' '))}`;
  return `${names.join(' ')} ${values}`;
}

function describe(description: string): string {
  return description === '' ? '' : ` -d ${quoted(description)}`;
}
