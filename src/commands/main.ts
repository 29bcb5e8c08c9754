// Shared by all commands: finding the site, reporting errors, exit codes.

import { constants, userInfo } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { lookAround } from '../actors/tables.js';
import { LinodError, misuseCodes, suggestion, UsageError } from '../base/errors.js';
import { actAsOwner } from '../base/files/file-rights.js';
import { nodeProblem } from '../base/node-version.js';
import type { SiteConfig } from '../site/settings.js';
import { findSiteDirectory, loadSite, type Site } from '../site/site.js';
import type { Store } from '../store/store.js';
import { say, styled } from './views/output.js';

/** 0 done, 1 failed, 2 used wrongly or badly configured, 3 a check found something. */
export const exitCodes = { done: 0, failed: 1, misused: 2, found: 3 } as const;

/** Ends the process with a code, after the command has printed its own message. */
export class ExitError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit with ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** The exit code that a shell reports after a signal: 130 for Ctrl-C, 143 for SIGTERM. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/**
 * Runs work that Ctrl-C and SIGTERM stop in good order; a second signal ends the process at once.
 *
 * @param work ends when its signal is aborted
 * @throws ExitError with the code of the signal after such a stop; whatever `work` throws before
 */
export async function unlessEnded<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  let code: number = exitCodes.failed;
  const onSignal = (signal: NodeJS.Signals) => {
    code = signalExitCode(signal);
    if (stop.signal.aborted) process.exit(code);
    stop.abort(new Error(`the command was ended by ${signal}`));
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  try {
    const result = await work(stop.signal);
    if (!stop.signal.aborted) return result;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
  }
  throw new ExitError(code);
}

/**
 * Runs a program on the words of the command line and sets the process's exit code. Errors are one line on stderr.
 *
 * @param argv the words after the program's name
 */
export async function main(program: Command, argv: readonly string[]): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader of the pipe, such as `head`, has left.
    if (error.code === 'EPIPE') process.exit(exitCodes.done);
    say(`${styled('red', `${program.name()}:`, process.stderr)} cannot write the output: ${error.message}`);
    process.exit(exitCodes.failed);
  });
  // A worker may outlive its terminal, so a failed message is no reason to end.
  process.stderr.on('error', () => undefined);
  throwInsteadOfExit(program);
  const problem = nodeProblem(process.versions.node);
  if (problem !== null) say(`${styled('yellow', `${program.name()}:`, process.stderr)} ${problem}`);
  fitHelp(program);
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    process.exitCode = reportError(program.name(), error);
  }
}

/** By itself, commander ends the process, with 1 for wrong usage. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  command.commands.forEach(throwInsteadOfExit);
}

/** Fits help to the terminal or 80 columns, including the text after the options, which commander does not wrap. */
function fitHelp(command: Command): void {
  command.configureHelp({ minWidthToWrap: 20 });
  command.configureOutput({
    writeOut: (text) => process.stdout.write(wrapped(text, process.stdout.columns ?? 80)),
  });
  command.commands.forEach(fitHelp);
}

/** Breaks long lines between words and indents the continuation. */
function wrapped(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => {
      const indent = `${/^ */.exec(line)?.[0] ?? ''}    `;
      const lines: string[] = [];
      for (let rest = line; rest !== ''; ) {
        const end = rest.length <= width ? rest.length : rest.lastIndexOf(' ', width);
        const isWhole = end <= indent.length || end === rest.length;
        lines.push(isWhole ? rest : rest.slice(0, end));
        rest = isWhole ? '' : `${indent}${rest.slice(end + 1)}`;
      }
      return lines.length === 0 ? [''] : lines;
    })
    .join('\n');
}

/** Prints the error. @returns the exit code */
function reportError(name: string, error: unknown): number {
  if (error instanceof ExitError) return error.exitCode;
  // Commander has printed the problem, the help or the version.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.misused;
  const message = error instanceof Error ? error.message : String(error);
  say(`${styled('red', `${name}:`, process.stderr)} ${message}`);
  if (error instanceof LinodError && misuseCodes.has(error.code)) return exitCodes.misused;
  if (error instanceof Error && 'code' in error && misuseCodes.has(String(error.code)))
    return exitCodes.misused;
  if (error instanceof Error && !('code' in error)) say(error.stack ?? '');
  return exitCodes.failed;
}

/**
 * For a command that works without a subcommand: reports a mistyped subcommand. Commander would complain about too
 * many arguments instead.
 *
 * @throws UsageError (`LINOD_ERR_USAGE`)
 */
export function refuseUnknownCommand(command: Command): void {
  const [word] = command.args;
  if (word === undefined) return;
  const known = command.commands.map((candidate) => candidate.name());
  throw new UsageError(
    `there is no command ${JSON.stringify(word)}${suggestion(word, known) || `; there are ${known.join(', ')}`}`,
  );
}

export interface SiteFlags {
  readonly site?: string;
}

/** The flag that every command has for naming its site. */
export function siteOption(): Option {
  return new Option('--site <dir>', "the site's directory (default: LINOD_SITE, or the nearest one upwards)");
}

export function jsonOption(): Option {
  return new Option('--json', 'print JSON');
}

/** A command about a site, with --site, --json, and `help` at the end of its help. */
export function siteCommand(name: string, description: string, help: string): Command {
  const command = new Command(name).description(description).addOption(siteOption()).addOption(jsonOption());
  return command.addHelpText('after', `\n${help}`);
}

/** The flags of such a command. */
export interface SiteJsonFlags extends SiteFlags {
  readonly json?: boolean;
}

/**
 * Finds and reads the site. For a site that is switched off (`useLinod: false`), prints that and exits with 0.
 */
export async function requireSite(flags: SiteFlags): Promise<Site> {
  return requireOn(await findSite(flags));
}

/** @throws ExitError with 0 for a site that is switched off, after a message */
export function requireOn(site: Site): Site {
  if (site.settings.useLinod) return site;
  tellSwitchedOff(site);
  throw new ExitError(exitCodes.done);
}

/** Finds and reads the site, even when it is switched off. A command of root continues as the owner of the site. */
export async function findSite(flags: SiteFlags, overrides: SiteConfig = {}): Promise<Site> {
  return await loadSiteAsOwner(findSiteDirectory(flags.site), overrides);
}

/** @throws NoSiteError (`LINOD_ERR_NO_SITE`), BadConfigError (`LINOD_ERR_BAD_CONFIG`) */
export async function loadSiteAsOwner(directory: string, overrides: SiteConfig = {}): Promise<Site> {
  // Reading the configuration also creates files.
  actAsOwner([join(directory, 'linod.db'), join(directory, 'log'), directory]);
  const site = await loadSite(directory, { flags: overrides });
  const { databaseUrl, logDirectory } = site.settings;
  actAsOwner([databaseUrl.replace(/^sqlite:/, ''), logDirectory, directory]);
  return site;
}

export function tellSwitchedOff(site: Site): void {
  const where = `${site.shorten(site.configFile)} or LINOD_USE_LINOD`;
  say(`linod is switched off for site ${site.name}: useLinod is false in ${where}`);
}

/** Opens the database of a site, marks dead workers, runs `use`, and closes it. */
export async function withStore<T>(site: Site, use: (store: Store) => Promise<T>): Promise<T> {
  const { openStore } = await import('../store/store.js');
  const store = await openStore(site);
  try {
    await lookAround({ site, store });
    return await use(store);
  } finally {
    await store.close();
  }
}

/**
 * Loads the procedures of a site. Prints which files cannot be loaded. The command continues without them, and exits
 * with an error code.
 *
 * @returns whether all could be loaded
 */
export async function loadProcedures(site: Site): Promise<boolean> {
  const broken = await site.loadProcedures();
  for (const error of broken) process.exitCode = reportError('linod', error);
  return broken.length === 0;
}

export interface SiteStore {
  readonly site: Site;
  readonly store: Store;
}

/**
 * Finds the site, loads its procedures and opens its database, with their tables. Closes the database at the end.
 *
 * @throws whatever `requireSite`, `Site.loadProcedures` and `openStore` throw
 */
export async function withSiteStore<T>(flags: SiteFlags, use: (found: SiteStore) => Promise<T>): Promise<T> {
  const site = await requireSite(flags);
  await loadProcedures(site);
  return await withStore(site, async (store) => await use({ site, store }));
}

/** The name of the person at this terminal, for the ledger. */
export function person(): string {
  return process.env.SUDO_USER ?? process.env.USER ?? process.env.LOGNAME ?? systemUser();
}

function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`; // in a container the user may have no name
  }
}
