// Shell completion, asked of the shells themselves.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fishCompletion } from '../../../src/commands/completion/fish.js';
import { completedCommands } from '../../../src/commands/completion/model.js';
import { bashCompletion, zshCompletion } from '../../../src/commands/completion/posix.js';
import { linodProgram } from '../../../src/commands/linod.js';

const commands = completedCommands(linodProgram());

/** Lines that are typed up to the cursor, and some of what is offered there. */
const lines: ReadonlyArray<readonly [words: readonly string[], offered: readonly string[], not: string]> = [
  [['linod', 'ru'], ['rule', 'rules'], 'why'],
  [['linod', 'rule', '3', ''], ['run', 'debug'], 'sync'],
  [['linod', 'rule', '3', 'run', '--'], ['--wait', '--debug'], '--status'],
  [['linod', 'rules', ''], ['sync'], 'run'],
  [['linod', 'jobs', '--status', ''], ['done', 'lost'], '--since'],
  [['linod', '--site', '/srv', 'jobs', '--'], ['--status'], '--args'],
];

type Ask = (words: readonly string[], script: string) => { command: string; args: readonly string[] };

const shells: Readonly<Record<string, { script: string; ask: Ask }>> = {
  bash: {
    script: bashCompletion(commands),
    ask: (words, script) => ({
      command: 'bash',
      args: [
        '--norc',
        '-c',
        `source ${script}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _linod; printf '%s\\n' "\${COMPREPLY[@]}"`,
        'bash',
        ...words,
      ],
    }),
  },
  zsh: {
    script: zshCompletion(commands),
    // The functions of its completion, which only a terminal has, filter nothing here.
    ask: (words, script) => ({
      command: 'zsh',
      args: [
        '-f',
        '-c',
        `compdef() { : }; compadd() { print -l -- "$@" }; _describe() { print -l -- \${(P)2%%:*} }; source ${script}; words=("$@"); CURRENT=$#; _linod`,
        'zsh',
        ...words,
      ],
    }),
  },
  fish: {
    script: fishCompletion(commands),
    ask: (words, script) => ({
      command: 'fish',
      args: ['--no-config', '-c', `source ${script}; complete -C "$argv[1]"`, words.join(' ')],
    }),
  },
};

for (const [shell, { script, ask }] of Object.entries(shells)) {
  const isThere = spawnSync(shell, ['--version']).status === 0;
  t.test(
    `${shell} completes commands, options and choices`,
    { skip: isThere ? false : 'not installed' },
    async (t) => {
      const file = join(t.testdir(), 'linod');
      writeFileSync(file, script);
      for (const [words, offered, not] of lines) {
        const { command, args } = ask(words, file);
        const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
        const found = stdout.split('\n').map((line) => line.split('\t', 1)[0]);
        t.equal(stderr, '', words.join(' '));
        t.same(
          offered.filter((word) => !found.includes(word)),
          [],
          words.join(' '),
        );
        // That zsh filters by what is typed, the test leaves out.
        if (shell !== 'zsh' || not !== 'why') t.notOk(found.includes(not), `${words.join(' ')}: ${not}`);
      }
    },
  );
}
