// docs/reference/commands.md is generated from the commands themselves: it says what `--help` says.

import type { Command } from 'commander';
import { procedureCommands } from '../procedures/commands/index.js';
import { linodProgram } from '../src/commands/linod.js';
import { initiateCommand } from '../src/commands/start/initiate.js';
import { runworkerCommand } from '../src/commands/start/runworker.js';
import { cell, isWritten, table } from './support/written-docs.js';

interface Listed {
  /** The words that call it: `linod rules sync`. */
  readonly name: string;
  readonly command: Command;
}

function withSubcommands(name: string, command: Command): Listed[] {
  const inner = command.commands.flatMap((each) => withSubcommands(`${name} ${each.name()}`, each));
  return [{ name, command }, ...inner];
}

/** What stands behind the options in a command's help. */
function furtherHelp(command: Command): string {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  return help.slice(command.helpInformation().length).trim();
}

/** Further help in Markdown: paragraphs, examples as code, and `NAME: text` lines as a list. */
function asMarkdown(help: string): string {
  return help
    .split('\n')
    .reduce<string[]>((lines, line) => {
      const last = lines.at(-1) ?? '';
      // A sentence that goes on in the next line is one paragraph.
      if (/^\S/.test(line) && /^\S.*[^:.]$/.test(last)) lines[lines.length - 1] = `${last} ${line}`;
      else lines.push(line);
      return lines;
    }, [])
    .map(lineAsMarkdown)
    .join('\n')
    .replace(/\n{3,}/g, '\n\n');
}

function lineAsMarkdown(line: string): string {
  const example = /^ +(\$ .*)$/.exec(line)?.[1];
  if (example !== undefined) return `    ${example}`;
  const [, name, text] = /^ {2}(\w+(?:, \w+)*)(?:: | +)(.*)$/.exec(line) ?? [];
  if (name !== undefined && text !== undefined) return wrapped(`- \`${name}\`: ${text}`, '  ');
  return line.endsWith(':') ? `${line}\n` : wrapped(line.replaceAll('<', '&lt;'), '');
}

function wrapped(text: string, indent: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + word.length > 98) lines.push(`${indent}${word}`);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.join('\n');
}

const sentence = (text: string) => cell(`${text.charAt(0).toUpperCase()}${text.slice(1)}.`);
const code = (text: string) => `\`${text.replaceAll('|', '\\|')}\``;

function section({ name, command }: Listed): string {
  const words = command.registeredArguments.map((word) => [code(word.name()), cell(word.description)]);
  const flags = command.options
    .filter(({ long }) => long !== '--site' && long !== '--json' && long !== '--version')
    .map(({ flags, description, defaultValue }) => [
      code(flags),
      `${cell(description)}${byDefault(defaultValue)}`,
    ]);
  const parts = [
    `## ${name}`,
    wrapped(sentence(command.description()), ''),
    `    ${name} ${command.usage()}`,
    ...(words.length === 0 ? [] : [table(['argument', 'meaning'], words).trim()]),
    ...(flags.length === 0 ? [] : [table(['option', 'meaning'], flags).trim()]),
    asMarkdown(furtherHelp(command)),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function byDefault(value: unknown): string {
  const isShown = typeof value === 'string' || (Array.isArray(value) && value.length > 0);
  return isShown ? `; default ${String(value)}` : '';
}

const listed: Listed[] = [
  { name: 'runworker', command: runworkerCommand() },
  { name: 'initiate_linod', command: initiateCommand() },
  ...withSubcommands('linod', linodProgram(procedureCommands())),
];
const link = (name: string) => `[\`${name}\`](#${name.replaceAll(' ', '-')})`;
const overview = table(
  ['command', 'does'],
  listed.map(({ name, command }) => [link(name), cell(command.description())]),
);
isWritten('docs/reference/commands.md', 'overview', overview);
isWritten('docs/reference/commands.md', 'commands', listed.map(section).join('\n'));
