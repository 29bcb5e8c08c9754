// Loggers for the processes of a site: web servers, scripts, anything that is not the worker.

import { writeSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import type { LayerWarning } from '../../channels/index.js';
import { systemClock } from '../base/clock.js';
import { NoSiteError } from '../base/errors.js';
import { type LevelName, parseLevel } from '../base/log-levels.js';
import type { LevelsByName } from '../site/log-settings.js';
import { checkSetting, environmentSource } from '../site/resolve-settings.js';
import { configuredLevels } from '../site/settings.js';
import { findSiteDirectory, loadSite, type Site } from '../site/site.js';
import { stringifyFields } from './fields.js';
import { LevelTree } from './levels/level-tree.js';
import { SiteLevels } from './levels/site-levels.js';
import { Logger } from './logger.js';
import { checkOptions } from './logger-options.js';
import { senderLabel } from './names.js';
import { Redaction } from './redaction.js';
import { SpoolAdopter } from './sender/adopter.js';
import { guardAtExit } from './sender/exit-guard.js';
import { LayerTransport } from './sender/layer-transport.js';
import { LogSender } from './sender/sender.js';
import { senderSettings, settingsWithoutSite } from './sender/settings.js';
import type { LogSink } from './sink.js';

export interface CreateLoggerOptions {
  /** The site's directory; else `LINOD_SITE`, else the working directory or the nearest above it that is a site. */
  readonly site?: string | undefined;
  /** What the log calls this process and its loggers; default: the name of the program. */
  readonly name?: string | undefined;
  /**
   * Records below it are dropped; default: what the site's `logLevels` and `logLevel` say. A level that is set for this
   * name or one below it by `linod log level` is stronger.
   */
  readonly level?: LevelName | Lowercase<LevelName> | undefined;
  /**
   * Paths of fields whose values must not get into the log: `password`, `user.token`, `headers.*`, `items[*].secret`.
   * They stand there as `[redacted]`; the caller's objects are not changed.
   */
  readonly redact?: readonly string[] | undefined;
}

/** The names of all options. */
export const createLoggerOptions = ['site', 'name', 'level', 'redact'] as const;

/**
 * The layer is closed after so long without a message, as an open one keeps the process alive. Opening it anew costs
 * some milliseconds; a program that has ended waits for this.
 */
const restAfterMs = 500;
/** The spools of ended processes are looked for so often. A worker of this machine does it every few seconds. */
const adoptEveryMs = 30_000;

/**
 * A logger whose records arrive in the site's `lino.log`, written by the logger coroutine of its worker. While none
 * runs, they wait in the site's `log/spool`.
 *
 * Returns at once; the site is loaded behind it. A site that cannot be loaded is told once by a process warning, and
 * records wait in the spool. The logger does not keep its process alive, and at the end of the process nothing is
 * lost: `close()` is good manners, but not needed.
 *
 * Until the site is loaded, some ms later, it is not known which records are wanted. They are kept with the time at which
 * they came, and looked at then; a function that makes a message is called then, too.
 *
 * Where there is no site and nobody named one, as in unit tests, that is told by a process warning, too, and records go to
 * stderr.
 *
 * @throws NoSiteError (`LINOD_ERR_NO_SITE`) when `site` or `LINOD_SITE` names none; UnknownLevelError (`LINOD_ERR_UNKNOWN_LEVEL`);
 *   RedactPathError (`LINOD_ERR_REDACT_PATH`); LoggerOptionError (`LINOD_ERR_LOGGER_OPTION`) for an option that there is not
 * @example
 * const logger = createLogger({ name: 'web', redact: ['headers.authorization'] });
 * logger.info('listening', { port: 8080 });
 */
export function createLogger(options: CreateLoggerOptions = {}): Logger {
  checkOptions('createLogger', options, createLoggerOptions);
  const directory = findDirectory(options.site);
  const name = options.name ?? programName();
  const level = options.level === undefined ? undefined : parseLevel(options.level).value;
  // Before anything is opened that would have to be closed.
  const redaction = options.redact === undefined ? undefined : new Redaction(options.redact);
  if (typeof directory !== 'string') {
    warn('records go to stderr', directory);
    const levels = new LevelTree(levelsOfEnvironment('.'));
    return new Logger({ sink: terminalSink, name, level, levels, redact: redaction });
  }
  const shared = share(directory, name);
  const { sender, levels, connected } = shared;
  const sink: LogSink = {
    write: (...record) => sender.write(...record),
    defer: (record) => sender.defer(record),
    flush: async (timeoutMs) => {
      await connected;
      await sender.flush(timeoutMs);
    },
    close: once(() => unshare(directory, name, shared)),
  };
  return new Logger({ sink, name, level, levels, redact: redaction });
}

/** The site's directory; the error when there is none and nobody named one, as in a unit test of an application. */
function findDirectory(named: string | undefined): string | NoSiteError {
  try {
    return findSiteDirectory(named);
  } catch (error) {
    if (error instanceof NoSiteError && named === undefined && !process.env.LINOD_SITE) return error;
    throw error;
  }
}

/** For records that no site takes. */
const terminalSink: LogSink = {
  write: (level, logger, message, fields, trace) => {
    const told = fields === undefined ? message : `${message} ${stringifyFields(fields)}`;
    process.stderr.write(`${level} ${logger}: ${told}${trace === undefined ? '' : `\n${trace}`}\n`);
  },
};

interface Shared {
  readonly sender: LogSender;
  readonly levels: LevelTree;
  /** Resolves when the site is loaded, or cannot be. */
  readonly connected: Promise<void>;
  /** End what was opened for the site beside the sender. */
  readonly closers: Array<() => void | Promise<void>>;
  readonly unguard: () => void;
  users: number;
}

/** One sender for each site and name in a process, however many loggers. */
const senders = new Map<string, Shared>();

function share(directory: string, name: string): Shared {
  const key = JSON.stringify([directory, name]);
  let shared = senders.get(key);
  if (shared === undefined) {
    const levels = new LevelTree();
    const sender: LogSender = new LogSender({
      name,
      clock: systemClock,
      onHurry: () => beginWithoutSite(sender, levels, directory, name),
      onTrouble: (error) => warn(`records cannot be written to the spool of ${directory}`, error),
      onLost: (count) => tellLost(count, senderLabel(name, process.pid), directory),
    });
    const closers: Shared['closers'] = [];
    const connected = connect(sender, levels, directory, name, closers);
    shared = { sender, levels, connected, closers, unguard: guardAtExit(sender), users: 0 };
    senders.set(key, shared);
  }
  shared.users++;
  return shared;
}

async function unshare(directory: string, name: string, shared: Shared): Promise<void> {
  const { sender, connected, closers, unguard } = shared;
  const isLast = --shared.users === 0;
  if (isLast) senders.delete(JSON.stringify([directory, name]));
  await connected;
  if (!isLast) {
    await sender.flush();
    return;
  }
  for (const close of closers) await close();
  try {
    await sender.close();
  } finally {
    unguard();
  }
}

/** Loads the site, and lets the sender begin. Never rejects. */
async function connect(
  sender: LogSender,
  levels: LevelTree,
  directory: string,
  name: string,
  closers: Shared['closers'],
): Promise<void> {
  try {
    const site = await loadSite(directory);
    const { settings } = site;
    const following = followLevels(levels, site.logDirectory, name);
    closers.push(() => following.close());
    following.start(configuredLevels(settings));
    sender.begin(senderSettings(site));
    // A site that is turned off has no worker: its records wait in the spool until it is turned on.
    if (settings.useLinod) closers.push(connectLayer(sender, site, following));
  } catch (error) {
    warn(`records wait in the spool, since the site ${directory} cannot be loaded`, error);
    beginWithoutSite(sender, levels, directory, name);
  }
}

/** @returns what ends the looking after spools of ended processes */
function connectLayer(sender: LogSender, site: Site, levels: SiteLevels): () => Promise<void> {
  let isClockTold = false;
  const onWarning = ({ code, text }: LayerWarning) => {
    if (code !== 'clock-differs' || isClockTold) return;
    isClockTold = true;
    sender.write('WARNING', 'linod.log', text);
  };
  const transport = new LayerTransport({
    open: () => site.openLayer({ onWarning }),
    ownsLayer: true,
    channel: site.logChannel,
    clock: systemClock,
    restAfterMs,
    onLevels: (overrides) => levels.take(overrides),
  });
  sender.connect(transport);
  const adopter = new SpoolAdopter({
    directories: [site.spoolDirectory],
    clock: systemClock,
    transport,
    everyMs: adoptEveryMs,
    isWanted: () => sender.isHeard,
  });
  adopter.start();
  return () => adopter.stop();
}

/** The site is not known yet, and the process ends or logs too much to wait: the environment and the usual places count. */
function beginWithoutSite(sender: LogSender, tree: LevelTree, directory: string, name: string): void {
  if (!tree.isSettled) guessLevels(tree, directory, name);
  sender.begin(settingsWithoutSite(directory));
}

function followLevels(tree: LevelTree, logDirectory: string, name: string): SiteLevels {
  const label = senderLabel(name, process.pid);
  return new SiteLevels({ logDirectory, clock: systemClock, label }, tree);
}

/** The levels of a site that is not known yet, when the process ends: by the environment, and the usual directory. */
function guessLevels(tree: LevelTree, directory: string, name: string): void {
  const levels = followLevels(tree, join(directory, 'log'), name);
  levels.look();
  levels.close();
  tree.configure(levelsOfEnvironment(directory));
}

function levelsOfEnvironment(directory: string): LevelsByName {
  const { values } = environmentSource(process.env);
  return configuredLevels({
    logLevel: checkSetting('logLevel', values.logLevel, directory) ?? 'INFO',
    logLevels: checkSetting('logLevels', values.logLevels, directory) ?? {},
  });
}

function warn(sentence: string, error: unknown): void {
  if (error === undefined) return;
  const reason = error instanceof Error ? error.message : String(error);
  process.emitWarning(`${sentence}: ${reason}`, { type: 'LinodLogWarning', code: 'LINOD_LOG' });
}

/** A process warning would come too late: the process is in its last turn. */
function tellLost(count: number, label: string, directory: string): void {
  const records = count === 1 ? '1 record' : `${count} records`;
  try {
    writeSync(
      process.stderr.fd,
      `linod: ${records} of ${label} ${count === 1 ? 'is' : 'are'} lost: the process has ended while the spool of ${directory} could not be written\n`,
    );
  } catch {
    // Nobody reads it.
  }
}

function programName(): string {
  const script = process.argv[1] ?? 'node';
  return basename(script, extname(script));
}

function once(call: () => Promise<void>): () => Promise<void> {
  let result: Promise<void> | undefined;
  return () => {
    result ??= call();
    return result;
  };
}
