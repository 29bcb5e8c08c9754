// Loggers for the processes of a site: web servers, scripts, anything that is not the worker.

import { writeSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { systemClock } from '../clock.js';
import { checkSetting, environmentSource } from '../site/resolve-settings.js';
import { configuredLevels } from '../site/settings.js';
import { findSiteDirectory, loadSite, type Site } from '../site.js';
import { guardAtExit } from './exit-guard.js';
import { Heir } from './heir.js';
import { LateSender } from './late-sender.js';
import { LayerTransport } from './layer-transport.js';
import { LevelTree } from './levels/level-tree.js';
import { SiteLevels } from './levels/site-levels.js';
import { type LevelName, parseLevel } from './levels.js';
import { Logger } from './logger.js';
import { checkOptions } from './logger-options.js';
import { senderLabel } from './names.js';
import { Redaction } from './redaction.js';
import type { LogSink } from './sink.js';
import type { LogTransport } from './transport.js';
import { senderTuning } from './tuning.js';

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
 * @throws NoSiteError (`LINOD_ERR_NO_SITE`) when there is no site; UnknownLevelError (`LINOD_ERR_UNKNOWN_LEVEL`);
 *   RedactPathError (`LINOD_ERR_REDACT_PATH`); LoggerOptionError (`LINOD_ERR_LOGGER_OPTION`) for an option that there is not
 * @example
 * const logger = createLogger({ name: 'web', redact: ['headers.authorization'] });
 * logger.info('listening', { port: 8080 });
 */
export function createLogger(options: CreateLoggerOptions = {}): Logger {
  checkOptions('createLogger', options, createLoggerOptions);
  const directory = findSiteDirectory(options.site);
  const name = options.name ?? programName();
  const level = options.level === undefined ? undefined : parseLevel(options.level).value;
  // Before anything is opened that would have to be closed.
  const redaction = options.redact === undefined ? undefined : new Redaction(options.redact);
  const shared = share(directory, name);
  const { sender, levels } = shared;
  const sink: LogSink = {
    write: (...record) => sender.write(...record),
    defer: (record) => sender.defer(record),
    flush: (timeoutMs) => sender.flush(timeoutMs),
    close: once(() => unshare(directory, name, shared)),
  };
  return new Logger({ sink, name, level, levels, redact: redaction });
}

interface Shared {
  readonly sender: LateSender;
  readonly levels: LevelTree;
  /** What follows the levels, and is to be closed. */
  following: SiteLevels | undefined;
  users: number;
  readonly unguard: () => void;
}

/** One sender for each site and name in a process, however many loggers. */
const senders = new Map<string, Shared>();

function share(directory: string, name: string): Shared {
  const key = JSON.stringify([directory, name]);
  let shared = senders.get(key);
  if (shared === undefined) {
    const levels = new LevelTree();
    const sender = new LateSender({
      name,
      clock: systemClock,
      fallback: {
        spoolDirectory: join(directory, 'log', 'spool'),
        settleLevels: () => guessLevels(levels, directory, name),
      },
      onTrouble: (error) => warn(`records cannot be written to the spool of ${directory}`, error),
      onLost: (count) => tellLost(count, senderLabel(name, process.pid), directory),
    });
    shared = { sender, levels, following: undefined, users: 0, unguard: guardAtExit(sender) };
    senders.set(key, shared);
    void connect(shared, directory, name);
  }
  shared.users++;
  return shared;
}

async function unshare(directory: string, name: string, shared: Shared): Promise<void> {
  if (--shared.users > 0) {
    await shared.sender.flush();
    return;
  }
  senders.delete(JSON.stringify([directory, name]));
  try {
    await shared.sender.close();
  } finally {
    shared.following?.close();
    shared.unguard();
  }
}

/** Loads the site and tells the sender. Never rejects. */
async function connect(shared: Shared, directory: string, name: string): Promise<void> {
  const { sender, levels } = shared;
  try {
    const site = await loadSite(directory);
    const { logFormat: format, timezone, useLinod } = site.settings;
    const following = followLevels(levels, site.logDirectory, name);
    shared.following = following;
    // A site that is turned off has no worker: its records wait in the spool until it is turned on.
    const transport = useLinod ? layerTransport(site, name, following) : undefined;
    const settleLevels = () => following.start(configuredLevels(site.settings));
    sender.settle(
      {
        spoolDirectory: site.spoolDirectory,
        tuning: senderTuning(site.settings),
        timezone,
        format,
        settleLevels,
      },
      transport,
    );
  } catch (error) {
    warn(`records wait in the spool, since the site ${directory} cannot be loaded`, error);
    sender.settle();
  }
}

function followLevels(tree: LevelTree, logDirectory: string, name: string): SiteLevels {
  const label = senderLabel(name, process.pid);
  return new SiteLevels({ logDirectory, clock: systemClock, label }, tree);
}

/** The levels of a site that is not known yet, when the process ends: by the environment, and the usual directory. */
function guessLevels(tree: LevelTree, directory: string, name: string): void {
  const { values } = environmentSource(process.env);
  const levels = followLevels(tree, join(directory, 'log'), name);
  levels.look();
  levels.close();
  tree.configure(
    configuredLevels({
      logLevel: checkSetting('logLevel', values.logLevel, directory) ?? 'INFO',
      logLevels: checkSetting('logLevels', values.logLevels, directory) ?? {},
    }),
  );
}

function layerTransport(site: Site, name: string, levels: SiteLevels): LogTransport {
  const transport = new LayerTransport({
    open: () => site.openLayer(),
    ownsLayer: true,
    channel: site.logChannel,
    clock: systemClock,
    restAfterMs,
    onLevels: (overrides) => levels.take(overrides),
  });
  return new Heir({ transport, name, spoolDirectory: site.spoolDirectory, clock: systemClock });
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
