// Loggers for the processes of a site: web servers, scripts, anything that is not the worker.

import { basename, extname, join } from 'node:path';
import { systemClock } from '../clock.js';
import { findSiteDirectory, loadSite, type Site } from '../site.js';
import { guardAtExit } from './exit-guard.js';
import { LateSender } from './late-sender.js';
import { LayerTransport } from './layer-transport.js';
import { type LevelName, parseLevel } from './levels.js';
import { Logger } from './logger.js';
import type { LogSink } from './sink.js';
import type { LogTransport } from './transport.js';

export interface CreateLoggerOptions {
  /** The site's directory; else `LINOD_SITE`, else the working directory or the nearest above it that is a site. */
  readonly site?: string | undefined;
  /** What the log calls this process and its loggers; default: the name of the program. */
  readonly name?: string | undefined;
  /** Records below it are dropped; default: the site's `logLevel`. */
  readonly level?: LevelName | Lowercase<LevelName> | undefined;
}

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
 * @throws NoSiteError (`LINOD_ERR_NO_SITE`) when there is no site; UnknownLevelError (`LINOD_ERR_UNKNOWN_LEVEL`)
 * @example
 * const logger = createLogger({ name: 'web' });
 * logger.info('listening', { port: 8080 });
 */
export function createLogger(options: CreateLoggerOptions = {}): Logger {
  const directory = findSiteDirectory(options.site);
  const name = options.name ?? programName();
  const level = options.level === undefined ? undefined : parseLevel(options.level).value;
  const shared = share(directory, name);
  const { sender } = shared;
  const sink: LogSink = {
    write: (...[recordLevel, logger, message, fields, trace]) =>
      sender.write(recordLevel, logger, message, fields, trace, level === undefined),
    flush: (timeoutMs) => sender.flush(timeoutMs),
    close: once(() => unshare(directory, name, shared)),
  };
  // Until the site's level is known, everything is kept; the sender sorts it out then.
  const ofSite = new Logger({ sink, name, level: 'DEBUG' });
  sender.onSettled((siteLevel) => {
    ofSite.level = siteLevel;
  });
  return new Logger({ sink, name, level }, ofSite);
}

interface Shared {
  readonly sender: LateSender;
  users: number;
  readonly unguard: () => void;
}

/** One sender for each site and name in a process, however many loggers. */
const senders = new Map<string, Shared>();

function share(directory: string, name: string): Shared {
  const key = JSON.stringify([directory, name]);
  let shared = senders.get(key);
  if (shared === undefined) {
    const sender = new LateSender({
      name,
      clock: systemClock,
      fallback: { spoolDirectory: join(directory, 'log', 'spool'), level: 'INFO' },
      onTrouble: (error) => warn(`records cannot be written to the spool of ${directory}`, error),
    });
    shared = { sender, users: 0, unguard: guardAtExit(sender) };
    senders.set(key, shared);
    void connect(sender, directory);
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
  await shared.sender.close();
  shared.unguard();
}

/** Loads the site and tells the sender. Never rejects. */
async function connect(sender: LateSender, directory: string): Promise<void> {
  try {
    const site = await loadSite(directory);
    const { logLevel: level, timezone, useLinod } = site.settings;
    // A site that is turned off has no worker: its records wait in the spool until it is turned on.
    const transport = useLinod ? layerTransport(site) : undefined;
    sender.settle({ spoolDirectory: site.spoolDirectory, level, timezone }, transport);
  } catch (error) {
    warn(`records wait in the spool, since the site ${directory} cannot be loaded`, error);
    sender.settle();
  }
}

function layerTransport(site: Site): LogTransport {
  return new LayerTransport({
    open: () => site.openLayer(),
    ownsLayer: true,
    channel: site.logChannel,
    clock: systemClock,
    restAfterMs,
  });
}

function warn(sentence: string, error: unknown): void {
  if (error === undefined) return;
  const reason = error instanceof Error ? error.message : String(error);
  process.emitWarning(`${sentence}: ${reason}`, { type: 'LinodLogWarning', code: 'LINOD_LOG' });
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
