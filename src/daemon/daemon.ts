// The worker process of a site: opens what it needs, runs until it is told to stop, closes in the reverse order.

import { join } from 'node:path';
import {
  type Application,
  type ChannelLayer,
  ChannelNameRouter,
  type ConnectionChange,
  Consumer,
  type DroppedMessage,
  Worker,
} from '../../channels/index.js';
import { type Clock, systemClock } from '../clock.js';
import { LinodConsumer, type LinodServices, type Started } from '../consumers/linod.js';
import { suggestion, UsageError } from '../errors.js';
import { guardAtExit } from '../log/exit-guard.js';
import { LayerTransport } from '../log/layer-transport.js';
import { LocalTransport } from '../log/local-transport.js';
import { Logger } from '../log/logger.js';
import { LoggerCoroutine } from '../log/logger-coroutine.js';
import type { LogRecord } from '../log/messages.js';
import { KyselyPositionStore } from '../log/positions.js';
import { LogSender } from '../log/sender.js';
import type { LogSink } from '../log/sink.js';
import { Lease } from '../membership/lease.js';
import { WorkerRegistry } from '../membership/registry.js';
import { type Coroutine, StartOrders } from '../membership/start-orders.js';
import { Procedures } from '../procedure.js';
import type { Settings } from '../site/settings.js';
import type { Site } from '../site.js';
import type { Store } from '../store/store.js';
import { Jobs } from '../tasks/jobs.js';
import { TaskLoop } from '../tasks/loop.js';
import { Rules, type SyncReport } from '../tasks/rules.js';
import { JobRunner } from '../tasks/runner.js';
import { Tasks } from '../tasks/tasks.js';
import { version } from '../version.js';
import { LogService } from './log-service.js';
import { tee } from './tee.js';
import { logConnection, logDropped, logWorkerEvent } from './worker-log.js';

export interface DaemonOptions {
  readonly site: Site;
  /** The channels to listen on: the site's own, and those of its consumers. */
  readonly channels: readonly string[];
  /** Whether to start the coroutines without an order. */
  readonly initiate: boolean;
  /** Also given what the worker itself logs. */
  readonly terminal?: LogSink;
  readonly clock?: Clock;
}

/** How things stood when the worker began to listen. */
export interface StartReport {
  readonly workerId: string;
  readonly channels: readonly string[];
  readonly migrated: readonly string[];
  readonly rules: number;
  readonly sync: SyncReport;
  readonly started: readonly Coroutine[];
}

/** Heartbeats and leases are renewed, and dead workers looked for, so often. */
const beatMs = 3000;

/**
 * @example
 * const daemon = await Daemon.open({ site, channels: [site.channel], initiate: false });
 * await daemon.run(signal);
 */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #site: Site;
  readonly #clock: Clock;
  readonly #store: Store;
  readonly #layer: ChannelLayer;
  readonly #sender: LogSender;
  readonly #unguard: () => void;
  readonly #logger: Logger;
  readonly #registry: WorkerRegistry;
  readonly #orders: StartOrders;
  readonly #jobs: Jobs;
  readonly #tasks: Tasks;
  readonly #loop: TaskLoop;
  readonly #log: LogService;
  readonly #coroutine: LoggerCoroutine;
  readonly #worker: Worker;
  readonly #startedAt: number;
  #settings: Settings;
  #stopBeating: () => void = () => undefined;
  #beating: Promise<void> = Promise.resolve();
  #beatFails = false;

  /**
   * Loads the site's procedures and opens its database and its channel layer.
   *
   * @throws BadConfigError, StoreUnavailableError, NewerDatabaseError, UsageError for a channel without a consumer
   */
  static async open(options: DaemonOptions): Promise<Daemon> {
    const { site, channels } = options;
    const known = [site.channel, ...Object.keys(site.settings.consumers)];
    for (const channel of channels) {
      if (known.includes(channel)) continue;
      throw new UsageError(
        `site ${site.name} has no consumer for channel ${JSON.stringify(channel)}${suggestion(channel, known) || `; it has ${known.join(', ')}`}`,
      );
    }
    await site.loadProcedures();
    const store = await site.openStore();
    try {
      let tellDropped: ((dropped: DroppedMessage) => void) | undefined;
      let tellConnection: ((change: ConnectionChange) => void) | undefined;
      const layer = await site.openLayer({
        onDrop: (dropped) => tellDropped?.(dropped),
        onConnection: (change) => tellConnection?.(change),
      });
      const daemon = new Daemon(options, store, layer);
      // Nothing is sent or received, and so nothing to be told, before.
      tellDropped = (dropped) => logDropped(daemon.#logger, dropped);
      tellConnection = (change) => logConnection(daemon.#logger, change);
      return daemon;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  private constructor(options: DaemonOptions, store: Store, layer: ChannelLayer) {
    const { site, terminal, channels } = options;
    const clock = options.clock ?? systemClock;
    const { timezone, maxJobs } = site.settings;
    this.#options = options;
    this.#site = site;
    this.#settings = site.settings;
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#store = store;
    this.#layer = layer;

    const elsewhere = new LayerTransport({
      open: async () => layer,
      ownsLayer: false,
      channel: site.logChannel,
      clock,
    });
    const local = new LocalTransport(elsewhere);
    const { spoolDirectory, logFile } = site;
    this.#sender = new LogSender({ name: 'linod', transport: local, spoolDirectory, timezone, clock });
    this.#unguard = guardAtExit(this.#sender);
    const sink = terminal === undefined ? this.#sender : tee(this.#sender, terminal);
    this.#logger = new Logger({ sink, name: 'linod', level: site.settings.logLevel });

    this.#registry = new WorkerRegistry(store.db, clock);
    const workerId = this.#registry.id;
    this.#orders = new StartOrders(store.db, clock);
    const rules = new Rules(store.db, timezone, clock, workerId);
    this.#jobs = new Jobs(store.db, rules, clock, workerId);
    const logger = this.#logger.child('tasks');
    const runner = new JobRunner({
      site,
      db: store.db,
      procedures: Procedures,
      jobs: this.#jobs,
      sink: this.#sender,
      logLevel: () => this.#settings.logLevel,
      clock,
    });
    this.#tasks = new Tasks({
      rules,
      jobs: this.#jobs,
      runner,
      procedures: Procedures,
      clock,
      logger,
      maxJobs,
      onPlace: () => this.#loop.wake(),
    });
    this.#loop = new TaskLoop(this.#tasks, clock, logger);

    const logTrouble = terminal === undefined ? undefined : logTroubleTo(terminal);
    this.#coroutine = new LoggerCoroutine({
      layer,
      channel: site.logChannel,
      path: logFile,
      positions: new KyselyPositionStore(store.db),
      clock,
      timezone,
      sender: this.#sender,
      local,
      // A process that ended before it had read the configuration left its records at the default place.
      spoolDirectories: [...new Set([spoolDirectory, join(site.directory, 'log', 'spool')])],
      onTrouble: logTrouble,
    });
    const channelLogger = this.#logger.child('channels');
    this.#log = new LogService({
      coroutine: this.#coroutine,
      lease: new Lease(store.db, clock, 'log', workerId),
      layer,
      channel: site.logChannel,
      onEvent: (event) => logWorkerEvent(channelLogger, event),
    });
    this.#worker = new Worker({
      application: this.#application(),
      layer,
      channels,
      graceMs: site.settings.graceSeconds * 1000,
      onEvent: (event) => logWorkerEvent(channelLogger, event),
    });
  }

  /**
   * Runs until `stop` is aborted, then drains: takes no more messages and no more due times, waits for running jobs
   * up to the site's grace, aborts them, writes what was logged, and closes everything.
   *
   * @param onListening called once when the worker listens
   */
  async run(stop: AbortSignal, onListening: (report: StartReport) => void): Promise<void> {
    try {
      const report = await this.#start();
      const working = this.#worker.run(stop);
      this.#logger.info(
        `worker ${this.#registry.id} of site ${this.#site.name} listens on ${report.channels.join(', ')}`,
        {
          version,
        },
      );
      onListening(report);
      await this.#followOrders();
      this.#beatLater();
      await working;
      this.#logger.info(`worker ${this.#registry.id} stops`);
    } finally {
      await this.#close();
    }
  }

  /** Takes no new work until {@link resume}. */
  pause(): void {
    this.#loop.pause();
    this.#logger.info('no new work is taken until SIGCONT');
  }

  resume(): void {
    this.#loop.resume();
    this.#logger.info('new work is taken again');
  }

  /** Opens the log file anew, and takes over those of the settings that can change while the worker runs. */
  async reload(settings: Settings): Promise<void> {
    await this.#coroutine.reopen();
    const before = this.#settings;
    this.#settings = settings;
    this.#logger.level = settings.logLevel;
    const fixed = (
      ['name', 'channelLayer', 'layerPrefix', 'databaseUrl', 'logDirectory', 'timezone', 'maxJobs'] as const
    ).filter((key) => settings[key] !== before[key]);
    if (fixed.length > 0) {
      this.#logger.warning(
        `the configuration was read again; ${fixed.join(', ')} will change when the worker is restarted`,
      );
    } else this.#logger.info('the configuration was read again');
  }

  /** Tells of a reload that failed; the worker goes on with what it has. */
  reloadFailed(error: unknown): void {
    this.#logger.error(
      'the configuration could not be read again; the worker goes on with the old one',
      error,
    );
  }

  /** Writes what the process is doing to the log. */
  dump(): void {
    this.#logger.info('status', { ...this.#report() });
  }

  async #start(): Promise<StartReport> {
    await this.#registry.join(this.#options.channels, version);
    await this.#registry.markDead();
    for (const job of await this.#jobs.giveUpLost()) {
      this.#logger.warning(`job ${job.id} (${job.procedure}) is lost: ${job.message}`);
    }
    const sync = await this.#tasks.setup();
    for (const [kind, names] of Object.entries(sync)) {
      if (names.length > 0) this.#logger.info(`rules ${kind}: ${names.join(', ')}`);
    }
    if (this.#options.initiate) {
      await this.#orders.add('log.server', 'runworker --initiate');
      await this.#orders.add('run.system.tasks', 'runworker --initiate');
    }
    const started = await this.#orders.list();
    const rules = (await this.#tasks.status()).length;
    return {
      workerId: this.#registry.id,
      channels: this.#options.channels,
      migrated: this.#store.migrated,
      rules,
      sync,
      started,
    };
  }

  async #close(): Promise<void> {
    await this.#loop.stop(this.#settings.graceSeconds * 1000);
    this.#stopBeating();
    await this.#beating;
    await this.#log.stop();
    await this.#sender.close().catch(() => undefined);
    this.#unguard();
    await this.#jobs.giveUpLost().catch(() => undefined);
    await this.#registry.leave().catch(() => undefined);
    await this.#layer.close();
    await this.#store.close();
  }

  #application(): Application {
    const services: LinodServices = {
      workerId: this.#registry.id,
      startTasks: (by) => this.#startTasks(by),
      startLogger: (by) => this.#startLogger(by),
      status: () => this.#tasks.status(),
      request: async (action, rule, by) => {
        const request = await this.#jobs.request(rule, action, by);
        this.#loop.wake();
        return request;
      },
      wake: () => this.#loop.wake(),
      report: () => this.#report(),
      record: (record: LogRecord) => this.#coroutine.accept(record),
    };
    const linod = Consumer.application(() => new LinodConsumer(this.#layer, services));
    return ChannelNameRouter({ ...this.#site.settings.consumers, [this.#site.channel]: linod });
  }

  async #startTasks(by: string): Promise<Started> {
    await this.#orders.add('run.system.tasks', by);
    const already = this.#loop.started;
    if (!already) this.#logger.info(`task coroutine started, by ${by}`);
    this.#loop.start();
    return { already };
  }

  async #startLogger(by: string): Promise<Started> {
    await this.#orders.add('log.server', by);
    const already = this.#log.state !== 'off';
    if (!already) this.#logger.info(`logger coroutine started, by ${by}`);
    await this.#log.start();
    return { already };
  }

  #report(): Record<string, unknown> {
    return {
      worker: this.#registry.id,
      version,
      uptimeMs: this.#clock.now() - this.#startedAt,
      tasks: this.#loop.started ? 'running' : 'off',
      logger: this.#log.state,
      jobs: this.#tasks.running.map((job) => ({ job: job.id, rule: job.ruleId, procedure: job.procedure })),
      channels: this.#worker
        .stats()
        .map(({ channel, state, received, handled, failed, dropped, lastError }) => ({
          channel,
          state,
          received,
          handled,
          failed,
          dropped,
          lastError: lastError?.error.message ?? null,
        })),
      memoryBytes: process.memoryUsage.rss(),
    };
  }

  #beatLater(): void {
    this.#stopBeating = this.#clock.after(beatMs, () => {
      this.#beating = this.#beat().then(() => this.#beatLater());
    });
  }

  /** Never rejects: a database that is away is told once, and again when it is back. */
  async #beat(): Promise<void> {
    try {
      if (!(await this.#registry.beat())) {
        this.#logger.warning(
          'this worker was away so long that others took it for dead; its jobs were given up',
        );
        this.#tasks.abortAll('the worker was away and the job was given up');
      }
      for (const dead of await this.#registry.markDead()) {
        this.#logger.warning(`worker ${dead.id} is gone: ${dead.why}`);
      }
      for (const job of await this.#jobs.giveUpLost()) {
        this.#logger.warning(`job ${job.id} (${job.procedure}) is lost: ${job.message}`);
      }
      await this.#followOrders();
      await this.#log.beat();
      if (this.#beatFails) this.#logger.info('the heartbeat works again');
      this.#beatFails = false;
    } catch (error) {
      if (!this.#beatFails) this.#logger.error('the heartbeat failed; trying again', error);
      this.#beatFails = true;
    }
  }

  /** An order is followed although its message was lost, went to another worker, or came before this one's start. */
  async #followOrders(): Promise<void> {
    const orders = await this.#orders.list();
    if (orders.includes('run.system.tasks') && !this.#loop.started) this.#loop.start();
    if (orders.includes('log.server') && this.#log.state === 'off') await this.#log.start();
  }
}

/** The log itself cannot tell that it cannot be written. */
function logTroubleTo(terminal: LogSink): (error: unknown) => void {
  return (error) => {
    if (error === undefined) terminal.write('WARNING', 'linod.log', 'lino.log can be written again');
    else {
      const why = error instanceof Error ? error.message : String(error);
      terminal.write('ERROR', 'linod.log', `lino.log cannot be written, records are kept: ${why}`);
    }
  };
}
