// What a worker needs for logging: a logger for its own records, and the log that it writes for the whole
// site when it is its turn.

import { hostname } from 'node:os';
import { join } from 'node:path';
import type { ChannelLayer, WorkerEvent } from '../../channels/index.js';
import type { SteadyClock } from '../base/clock.js';
import { SiteLevels } from '../log/levels/site-levels.js';
import { Logger } from '../log/logger.js';
import { SpoolAdopter } from '../log/sender/adopter.js';
import { guardAtExit } from '../log/sender/exit-guard.js';
import { LayerTransport } from '../log/sender/layer-transport.js';
import { LogSender } from '../log/sender/sender.js';
import { senderSettings } from '../log/sender/settings.js';
import type { LogSink } from '../log/sink.js';
import { LogSocket } from '../log/socket/log-socket.js';
import type { Tally } from '../log/writer/composer.js';
import { LogLock } from '../log/writer/log-lock.js';
import { LoggerCoroutine } from '../log/writer/logger-coroutine.js';
import type { LogGap } from '../log/writer/writer.js';
import { Lease } from '../membership/lease.js';
import { configuredLevels, rotationOf } from '../site/settings.js';
import type { Site } from '../site/site.js';
import type { Store } from '../store/store.js';
import { LogService } from './log-service.js';

export interface WorkerLoggerOptions {
  readonly site: Site;
  readonly layer: ChannelLayer;
  readonly clock: SteadyClock;
  /** A second sink for the worker's own records. */
  readonly terminal: LogSink | undefined;
}

/** The worker's own logger, and what it sends its records by. */
export interface WorkerLogger {
  readonly logger: Logger;
  readonly levels: SiteLevels;
  readonly sender: LogSender;
  readonly transport: LayerTransport;
  close(): Promise<void>;
}

export function openWorkerLogger({ site, layer, clock, terminal }: WorkerLoggerOptions): WorkerLogger {
  const { settings, logDirectory } = site;
  const transport = new LayerTransport({
    open: async () => layer,
    ownsLayer: false,
    channel: site.logChannel,
    clock,
    onLevels: (overrides) => levels.take(overrides),
  });
  const sender = new LogSender({
    name: 'linod',
    transport,
    settings: senderSettings(site),
    clock,
  });
  const unguard = guardAtExit(sender);
  const levels = new SiteLevels({ logDirectory, clock, label: sender.label });
  levels.start(configuredLevels(settings));
  const adopter = adopterOf(site, sender, transport, clock);
  adopter.start();
  const sink = terminal === undefined ? sender : both(sender, terminal);
  return {
    logger: new Logger({ sink, name: 'linod', levels: levels.tree, redact: settings.redact }),
    levels,
    sender,
    transport,
    async close() {
      try {
        await adopter.stop();
        await sender.close();
      } finally {
        levels.close();
        unguard();
      }
    },
  };
}

/** Brings in what processes of this machine left that have ended, whichever worker writes the log. */
function adopterOf(
  site: Site,
  sender: LogSender,
  transport: LayerTransport,
  clock: SteadyClock,
): SpoolAdopter {
  return new SpoolAdopter({
    directories: spoolDirectoriesOf(site),
    clock,
    transport,
    isWanted: () => sender.isAnswered,
    onAdopted: ({ records, ...fields }) => {
      const text = `${records} ${records === 1 ? 'record' : 'records'} of an ended process taken from its spool`;
      sender.write('INFO', 'linod.log', text, fields);
    },
    onTrouble: (error) =>
      sender.write('WARNING', 'linod.log', error instanceof Error ? error.message : String(error)),
  });
}

/** A process that ended before it had read the configuration left its records in the default directory. */
function spoolDirectoriesOf({ spoolDirectory, directory }: Site): string[] {
  return [...new Set([spoolDirectory, join(directory, 'log', 'spool')])];
}

export interface SiteLogOptions extends WorkerLoggerOptions {
  readonly own: WorkerLogger;
  readonly store: Store;
  /** Called with the records of each write. */
  readonly onWritten: (tallies: readonly Tally[]) => void;
  /** By which leases are held. */
  readonly databaseClock: SteadyClock;
  readonly workerId: string;
  readonly onEvent: (event: WorkerEvent) => void;
  /** Called once when this worker is to write the log and cannot, and with undefined when it does. */
  readonly onBlocked: (why: unknown) => void;
  /** Called when this worker begins to write the log, and when writing begins or ceases to fail. */
  readonly onChange: () => void;
  readonly onLost: (gap: LogGap) => void;
}

/** The site's log in this worker. */
export interface SiteLog {
  readonly coroutine: LoggerCoroutine;
  readonly service: LogService;
  /** Null where the site has none. */
  readonly socket: LogSocket | null;
}

export function openSiteLog(options: SiteLogOptions): SiteLog {
  const { site, layer, clock, terminal, own, store, databaseClock, workerId } = options;
  const { onEvent, onBlocked, onChange, onLost } = options;
  const { settings, logFile, logChannel: channel } = site;
  const { levels, sender, transport, logger } = own;
  const lock = new LogLock(logFile, workerId);
  const location = logPlace(site);
  const coroutine = new LoggerCoroutine({
    layer,
    channel,
    path: logFile,
    sync: settings.logSync,
    orderMs: settings.logOrderMs,
    clock,
    timezone: settings.timezone,
    format: settings.logFormat,
    rotation: rotationOf(settings),
    fence: lock,
    levels: () => levels.known,
    thresholds: levels.tree,
    sender,
    local: transport,
    spoolDirectories: spoolDirectoriesOf(site),
    onLost,
    onWritten: options.onWritten,
    onTrouble: (error) => {
      service.noteTrouble(error);
      if (terminal !== undefined) reportTrouble(terminal, error);
    },
  });
  const lease = new Lease(store.db, databaseClock, `log ${location}`.trimEnd(), workerId);
  const listeners = { onEvent, onBlocked, onChange };
  const service: LogService = new LogService({ coroutine, lease, lock, layer, channel, clock, ...listeners });
  return { coroutine, service, socket: socketOf(site, own, clock, logger) };
}

function socketOf(site: Site, own: WorkerLogger, clock: SteadyClock, logger: Logger): LogSocket | null {
  const { logSocket: path, logSocketMode } = site.settings;
  if (path === '') return null;
  return new LogSocket({
    path,
    mode: Number.parseInt(logSocketMode, 8),
    sender: own.sender,
    levels: own.levels.tree,
    clock,
    onTrouble: (error) => {
      if (error === undefined) logger.info('the log socket is open');
      else logger.warning(error instanceof Error ? error.message : String(error));
    },
  });
}

/**
 * Names the log whose lease a worker wants: empty for the one log of a site. Where the database serves
 * several machines and the channel layer is a file of this one, records do not leave the machine: then each
 * has its own log.
 */
function logPlace({ settings }: Site): string {
  const { channelLayer, databaseUrl } = settings;
  const isLocal = typeof channelLayer === 'string' && channelLayer.startsWith('sqlite:');
  return isLocal && !databaseUrl.startsWith('sqlite:') ? `${hostname()} ${channelLayer}` : '';
}

/** The log itself cannot say that it cannot be written. */
function reportTrouble(terminal: LogSink, error: unknown): void {
  if (error === undefined) {
    terminal.write('WARNING', 'linod.log', 'lino.log can be written again');
    return;
  }
  const why = error instanceof Error ? error.message : String(error);
  terminal.write('ERROR', 'linod.log', `lino.log cannot be written, records are kept: ${why}`);
}

function both(...sinks: readonly LogSink[]): LogSink {
  return {
    write(...record) {
      for (const sink of sinks) sink.write(...record);
    },
  };
}
