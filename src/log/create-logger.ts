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
  /**
   * The site's directory; else `LINOD_SITE`, else the working directory or the nearest above it that is a
   * site.
   */
  readonly site?: string | undefined;
  /** The name of this process and its loggers in the log; default: the name of the program. */
  readonly name?: string | undefined;
  /**
   * Records below this level are dropped; default: the site's `logLevels` and `logLevel`. A level that `linod
   * log level` sets for this name, or a name below it, takes precedence.
   */
  readonly level?: LevelName | Lowercase<LevelName> | undefined;
  /**
   * Paths of fields whose values must not get into the log: `password`, `user.token`, `headers.*`,
   * `items[*].secret`; default: the site's setting `redact`. The log shows `[redacted]` instead. The caller's
   * objects are not changed.
   */
  readonly redact?: readonly string[] | undefined;
}

/** The names of all options. */
export const createLoggerOptions = ['site', 'name', 'level', 'redact'] as const;

/**
 * The layer is closed after this time without a message, since an open layer keeps the process alive. A
 * program that is done waits that long before it ends.
 */
const suspendAfterMs = 500;
/** Time between two scans for spools of ended processes. A worker on this machine scans every few seconds. */
const adoptEveryMs = 30_000;

/**
 * Creates a logger whose records arrive in the site's `lino.log`. The logger coroutine of the site's worker
 * writes them. While no worker runs, records wait in the site's `log/spool`.
 *
 * Returns at once and loads the site in the background. If that fails, a process warning says so once, and
 * records wait in the spool. The logger does not keep its process alive, and the end of the process loses no
 * record even without `close()`.
 *
 * Until the site is loaded, the logger keeps all records with their time, since it does not know the levels
 * yet. It filters them afterwards, and only then calls functions that make a message.
 *
 * Without a site, as in unit tests, a process warning says so and records go to stderr.
 *
 * @throws NoSiteError (`LINOD_ERR_NO_SITE`) when `site` or `LINOD_SITE` names none; UnknownLevelError
 * (`LINOD_ERR_UNKNOWN_LEVEL`); RedactPathError (`LINOD_ERR_REDACT_PATH`); LoggerOptionError
 * (`LINOD_ERR_LOGGER_OPTION`) for an unknown option
 * @example
 * const logger = createLogger({ name: 'web', redact: ['headers.authorization'] });
 * logger.info('listening', { port: 8080 });
 */
export function createLogger(options: CreateLoggerOptions = {}): Logger {
  checkOptions('createLogger', options, createLoggerOptions);
  const directory = findDirectory(options.site);
  const name = options.name ?? programName();
  const level = options.level === undefined ? undefined : parseLevel(options.level).value;
  // May throw, so it comes before anything is opened.
  const own = options.redact === undefined ? undefined : new Redaction(options.redact);
  if (typeof directory !== 'string') {
    warn('records go to stderr', directory);
    const levels = new LevelTree(levelsOfEnvironment('.'));
    return new Logger({ sink: terminalSink, name, level, levels, redact: own ?? redactionOfEnvironment() });
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
  return new Logger({ sink, name, level, levels, redact: () => own ?? shared.redaction.current });
}

/** The site's directory; the error if there is no site and the caller has not named one, as in unit tests. */
function findDirectory(named: string | undefined): string | NoSiteError {
  try {
    return findSiteDirectory(named);
  } catch (error) {
    if (error instanceof NoSiteError && named === undefined && !process.env.LINOD_SITE) return error;
    throw error;
  }
}

/** Writes records to stderr, without a site. */
const terminalSink: LogSink = {
  write: (level, logger, message, fields, trace) => {
    const text = fields === undefined ? message : `${message} ${stringifyFields(fields)}`;
    process.stderr.write(`${level} ${logger}: ${text}${trace === undefined ? '' : `\n${trace}`}\n`);
  },
};

interface SiteRedaction {
  /** That of the site, once it is loaded; until then that of the environment. */
  current: Redaction | undefined;
}

interface Shared {
  readonly sender: LogSender;
  readonly levels: LevelTree;
  readonly redaction: SiteRedaction;
  /** Resolves when the site is loaded, or has failed to load. */
  readonly connected: Promise<void>;
  /** Close what was opened for the site besides the sender. */
  readonly closers: Array<() => void | Promise<void>>;
  readonly unguard: () => void;
  users: number;
}

/** One sender for each site and name, shared by all loggers of the process. */
const senders = new Map<string, Shared>();

function share(directory: string, name: string): Shared {
  const key = JSON.stringify([directory, name]);
  let shared = senders.get(key);
  if (shared === undefined) {
    const levels = new LevelTree();
    const sender: LogSender = new LogSender({
      name,
      clock: systemClock,
      onSettingsNeeded: () => beginWithoutSite(sender, levels, directory, name),
      onTrouble: (error) => warn(`records cannot be written to the spool of ${directory}`, error),
      onLost: (count) => reportLost(count, senderLabel(name, process.pid), directory),
    });
    const closers: Shared['closers'] = [];
    const redaction = { current: redactionOfEnvironment() };
    const connected = connect(sender, levels, redaction, directory, name, closers);
    shared = { sender, levels, redaction, connected, closers, unguard: guardAtExit(sender), users: 0 };
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

/** Loads the site, and gives the sender its settings. Never rejects. */
async function connect(
  sender: LogSender,
  levels: LevelTree,
  redaction: SiteRedaction,
  directory: string,
  name: string,
  closers: Shared['closers'],
): Promise<void> {
  try {
    const site = await loadSite(directory);
    const { settings } = site;
    // Before the levels: the records that wait for them are written then.
    redaction.current = Redaction.of(settings.redact);
    const following = followLevels(levels, site.logDirectory, name);
    closers.push(() => following.close());
    following.start(configuredLevels(settings));
    sender.begin(senderSettings(site));
    // A site that is turned off has no worker. Its records wait in the spool until it is turned on.
    if (settings.useLinod) closers.push(connectLayer(sender, site, following));
  } catch (error) {
    warn(`records wait in the spool, since the site ${directory} cannot be loaded`, error);
    beginWithoutSite(sender, levels, directory, name);
  }
}

/** Connects the sender, and scans for spools of ended processes. @returns what ends the scans */
function connectLayer(sender: LogSender, site: Site, levels: SiteLevels): () => Promise<void> {
  let hasWarned = false;
  const onWarning = ({ code, text }: LayerWarning) => {
    if (code !== 'clock-differs' || hasWarned) return;
    hasWarned = true;
    sender.write('WARNING', 'linod.log', text);
  };
  const transport = new LayerTransport({
    open: () => site.openLayer({ onWarning }),
    ownsLayer: true,
    channel: site.logChannel,
    clock: systemClock,
    suspendAfterMs,
    onLevels: (overrides) => levels.take(overrides),
  });
  sender.connect(transport);
  const adopter = new SpoolAdopter({
    directories: [site.spoolDirectory],
    clock: systemClock,
    transport,
    everyMs: adoptEveryMs,
    isWanted: () => sender.isAnswered,
  });
  adopter.start();
  return () => adopter.stop();
}

/** For a process that cannot wait for its site: uses the environment and the default directories. */
function beginWithoutSite(sender: LogSender, tree: LevelTree, directory: string, name: string): void {
  if (!tree.isSettled) guessLevels(tree, directory, name);
  sender.begin(settingsWithoutSite(directory));
}

function followLevels(tree: LevelTree, logDirectory: string, name: string): SiteLevels {
  const label = senderLabel(name, process.pid);
  return new SiteLevels({ logDirectory, clock: systemClock, label }, tree);
}

/** Levels without a loaded site: from the environment, and from the default directory. */
function guessLevels(tree: LevelTree, directory: string, name: string): void {
  const levels = followLevels(tree, join(directory, 'log'), name);
  levels.poll();
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

function redactionOfEnvironment(): Redaction | undefined {
  const { values } = environmentSource(process.env);
  return Redaction.of(checkSetting('redact', values.redact, '.') ?? []);
}

function warn(sentence: string, error: unknown): void {
  if (error === undefined) return;
  const reason = error instanceof Error ? error.message : String(error);
  process.emitWarning(`${sentence}: ${reason}`, { type: 'LinodLogWarning', code: 'LINOD_LOG' });
}

/** Writes to stderr, since a process warning would come too late. */
function reportLost(count: number, label: string, directory: string): void {
  const records = count === 1 ? '1 record' : `${count} records`;
  try {
    writeSync(
      process.stderr.fd,
      `linod: ${records} of ${label} ${count === 1 ? 'is' : 'are'} lost: the process has ended while the spool of ${directory} could not be written\n`,
    );
  } catch {
    // Stderr is closed.
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
