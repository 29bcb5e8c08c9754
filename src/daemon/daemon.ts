// The worker process of a site: opens its parts, runs until it is stopped, and closes them in reverse order.

import {
  type Application,
  type ChannelLayer,
  ChannelNameRouter,
  ChannelsError,
  type ConnectionChange,
  Consumer,
  type LayerWarning,
  Worker,
  type WorkerEvent,
} from '../../channels/index.js';
import type { ServerEvent } from '../../channels/server/index.js';
import { createTasks, type SiteTasks } from '../actors/site-tasks.js';
import { AlarmService } from '../alarms/alarm-service.js';
import { noteLogGap } from '../alarms/incidents.js';
import { aborted } from '../base/aborted.js';
import { type SteadyClock, systemClock } from '../base/clock.js';
import { durationText } from '../base/duration.js';
import { version } from '../base/version.js';
import { LinodConsumer, type LinodServices } from '../consumers/linod.js';
import { SiteServer } from '../http/site-server.js';
import type { Logger } from '../log/logger.js';
import type { LogSink } from '../log/sink.js';
import { DatabaseClock } from '../membership/database-clock.js';
import { type Coroutine, coroutines, StartOrders } from '../membership/start-orders.js';
import { WorkerOrders } from '../membership/worker-orders.js';
import { WorkerRegistry } from '../membership/worker-registry.js';
import { Procedures } from '../rules/procedure.js';
import type { SyncReport } from '../rules/site-rules.js';
import { TaskLoop } from '../scheduler/loop.js';
import { applicationOf, leasesOf } from '../site/consumers.js';
import { settingNames } from '../site/resolve-settings.js';
import { configuredLevels, type Settings } from '../site/settings.js';
import type { Site } from '../site/site.js';
import { openStore, type Store } from '../store/store.js';
import { awaitStore } from './awaited-store.js';
import { checkChannels } from './check-channels.js';
import { Duties } from './duties.js';
import { openSiteLog, openWorkerLogger, type SiteLog, type WorkerLogger } from './logging.js';
import { Operations } from './operations.js';
import { Reports } from './reports.js';
import { MessageRequests } from './requests.js';
import { WorkerConsole } from './worker-console.js';
import { dropLog, logConnection, logLayerWarning, logWorkerEvent } from './worker-log.js';

export interface DaemonOptions {
  readonly site: Site;
  /** The channels to listen on: the site's own, and those of its consumers. */
  readonly channels: readonly string[];
  /** Whether to start the coroutines at once, without a message. */
  readonly initiate: boolean;
  /** A second sink for the worker's own records. */
  readonly terminal?: LogSink;
  readonly clock?: SteadyClock;
}

/** The state of the worker when it began to listen. */
export interface StartReport {
  readonly workerId: string;
  readonly channels: readonly string[];
  readonly layerAnswers: boolean;
  readonly migrated: readonly string[];
  readonly rules: number;
  readonly sync: SyncReport;
  readonly started: readonly Coroutine[];
}

/** What `open` hands to the constructor. */
interface Opened {
  readonly options: DaemonOptions;
  readonly clock: SteadyClock;
  readonly store: Store;
  readonly layer: ChannelLayer;
  /** This worker's own channel, for messages to all workers. */
  readonly ownChannel: string;
  /** Errors of the procedure files that could not be loaded. */
  readonly broken: readonly Error[];
  readonly operations: Operations;
}

/** What the workers of a site share. */
interface Membership {
  readonly databaseClock: DatabaseClock;
  readonly registry: WorkerRegistry;
  readonly orders: StartOrders;
  readonly workerOrders: WorkerOrders;
}

/** The rules and jobs of the site, and the task coroutine. */
interface Schedule {
  readonly tasks: SiteTasks;
  readonly loop: TaskLoop;
}

/**
 * @example
 * const daemon = await Daemon.open({ site, channels: [site.channel], initiate: false }, signal);
 * await daemon?.run(signal);
 */
export class Daemon {
  readonly #opened: Opened;
  readonly #own: WorkerLogger;
  readonly #membership: Membership;
  readonly #schedule: Schedule;
  readonly #log: SiteLog;
  readonly #duties: Duties;
  readonly #worker: Worker;
  readonly #reports: Reports;
  #server: SiteServer | undefined;
  #console: WorkerConsole | undefined;
  #alarms: AlarmService | undefined;
  readonly #drained = new AbortController();
  #settings: Settings;

  /**
   * Loads the site's procedures and opens its database and its channel layer. Waits while the database is
   * away.
   *
   * @returns null when `stop` is aborted while it waits
   * @throws BadConfigError, StoreUnavailableError, NewerDatabaseError, UsageError for a channel without a
   * consumer
   */
  static async open(options: DaemonOptions, stop: AbortSignal): Promise<Daemon | null> {
    const { site, terminal } = options;
    checkChannels(site, options.channels);
    let logger: Logger | undefined;
    const operations = new Operations({
      site,
      log: (level, text) => {
        if (logger === undefined) terminal?.write(level, 'linod', text);
        else logger.log(level, text);
      },
    });
    try {
      const daemon = await Daemon.#openParts(options, stop, operations, () => logger);
      if (daemon === null) await operations.close();
      else logger = daemon.#logger;
      return daemon;
    } catch (error) {
      await operations.close();
      throw error;
    }
  }

  /** @param logger the worker's own, once there is one: it needs the layer, and nothing is sent before both exist */
  static async #openParts(
    options: DaemonOptions,
    stop: AbortSignal,
    operations: Operations,
    logger: () => Logger | undefined,
  ): Promise<Daemon | null> {
    const { site, terminal, clock = systemClock } = options;
    const broken = await site.loadProcedures();
    const awaited = await awaitStore({
      open: () => openStore(site),
      clock,
      signal: stop,
      onAway: ({ message }) => {
        const text = `${message}; waiting for it`;
        terminal?.write('ERROR', 'linod', text);
        operations.waitsFor(text);
      },
    });
    if (awaited === null) return null;
    const { store, awayMs } = awaited;
    try {
      const logDrop = dropLog(logger);
      const { onSend, onDrop, onConnection } = operations.layerWatch;
      const layer = await site.openLayer({
        onSend,
        onDrop: (dropped) => {
          onDrop(dropped);
          logDrop(dropped);
        },
        onConnection: (change: ConnectionChange) => {
          onConnection(change);
          const to = logger();
          if (to !== undefined) logConnection(to, change);
        },
        onWarning: (warning: LayerWarning) => {
          const to = logger();
          if (to !== undefined) logLayerWarning(to, warning);
        },
      });
      const ownChannel = await layer.newChannel('linod');
      const daemon = new Daemon({ options, clock, store, layer, ownChannel, broken, operations });
      const away = `the database was away for ${durationText(awayMs)} when this worker was started`;
      if (awayMs > 0) daemon.#logger.warning(away);
      return daemon;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Each step uses the results of the steps before it. */
  private constructor(opened: Opened) {
    const { options, layer, clock } = opened;
    const { site, terminal } = options;
    this.#opened = opened;
    this.#settings = site.settings;
    this.#own = openWorkerLogger({ site, layer, clock, terminal });
    this.#membership = this.#openMembership();
    this.#schedule = this.#openSchedule();
    this.#log = this.#openLog();
    this.#duties = this.#openDuties();
    this.#worker = this.#openWorker();
    this.#reports = this.#openReports();
    this.#observe();
  }

  #observe(): void {
    const { store, layer, operations } = this.#opened;
    operations.observe({
      store,
      layer,
      touchLayer: () => this.#duties.touchLayer(),
      channels: () => [...this.#worker.stats(), ...this.#log.service.stats()],
      sockets: () => this.#server?.sockets ?? null,
      heartbeatFails: () => this.#duties.heartbeatFails,
    });
  }

  get #site(): Site {
    return this.#opened.options.site;
  }

  get #logger(): Logger {
    return this.#own.logger;
  }

  #openMembership(): Membership {
    const { store, clock } = this.#opened;
    const databaseClock = new DatabaseClock(store.time, clock, this.#logger);
    const registry = new WorkerRegistry(store.db, databaseClock);
    const orders = new StartOrders(store.db, clock);
    return { databaseClock, registry, orders, workerOrders: new WorkerOrders(store.db, databaseClock) };
  }

  #openSchedule(): Schedule {
    const { databaseClock, registry } = this.#membership;
    const logger = this.#logger.child('tasks');
    const tasks = createTasks({
      site: this.#site,
      store: this.#opened.store,
      clock: databaseClock,
      adjustClock: () => databaseClock.measure(),
      sink: this.#own.sender,
      levels: this.#own.levels.tree,
      logger,
      workerId: registry.id,
      onSlotFree: () => this.#schedule.loop.wake(),
      watch: this.#opened.operations.tasksWatch,
    });
    return { tasks, loop: new TaskLoop(tasks.tasks, databaseClock, logger) };
  }

  #openLog(): SiteLog {
    const { options, layer, clock, store } = this.#opened;
    const { databaseClock, registry } = this.#membership;
    return openSiteLog({
      site: this.#site,
      layer,
      clock,
      terminal: options.terminal,
      own: this.#own,
      store,
      databaseClock,
      workerId: registry.id,
      onEvent: (event) => this.#onWorkerEvent(event),
      onBlocked: (why) => this.#onLogBlocked(why),
      onChange: () => this.#duties.beatNow(),
      onLost: (gap) => {
        const noted = noteLogGap(store.db, gap, databaseClock.now());
        noted.catch((error) => this.#logger.warning('no alarm for lost log records', { error }));
      },
      onWritten: (tallies) => this.#opened.operations.wrote(tallies),
    });
  }

  #openDuties(): Duties {
    const { clock, store, layer, ownChannel } = this.#opened;
    return new Duties({
      clock,
      store,
      layer,
      logger: this.#logger,
      ...this.#membership,
      ...this.#schedule,
      log: this.#log.service,
      group: this.#site.workersGroup,
      ownChannel,
      reports: () => this.#reports,
      onDrained: () => this.#drained.abort(),
    });
  }

  #openWorker(): Worker {
    const { options, layer, ownChannel } = this.#opened;
    const { consumers, graceSeconds } = this.#site.settings;
    return new Worker({
      application: this.#application(),
      layer,
      channels: [...options.channels, ownChannel],
      lease: leasesOf(consumers),
      graceMs: graceSeconds * 1000,
      onEvent: (event) => this.#onWorkerEvent(event),
    });
  }

  #openReports(): Reports {
    const { clock } = this.#opened;
    const { tasks, loop } = this.#schedule;
    return new Reports({
      workerId: this.#membership.registry.id,
      startedAt: clock.now(),
      clock,
      databaseClock: this.#membership.databaseClock,
      loop,
      tasks: tasks.tasks,
      log: this.#log.service,
      worker: this.#worker,
      isDraining: () => this.#duties.isDraining,
    });
  }

  /**
   * Runs until `stop` is aborted or the worker was ordered to drain, then stops: takes no more messages or due times, waits for handlers and
   * jobs up to the site's `graceSeconds`, aborts the rest, writes the log, and closes everything.
   *
   * @param onListening called once when the worker listens
   */
  async run(stop: AbortSignal, onListening: (report: StartReport) => void): Promise<void> {
    const stopping = new AbortController();
    const { operations } = this.#opened;
    stop.addEventListener('abort', () => operations.stopping());
    let working: Promise<unknown> = Promise.resolve();
    try {
      const report = await this.#start();
      await this.#log.socket?.start();
      // It fails only when the worker cannot listen at all. Then the worker stops.
      let failure: unknown;
      working = this.#worker.run(stopping.signal).catch((error: unknown) => {
        failure = error;
        stopping.abort();
      });
      const { http: listen } = this.#settings;
      const { layer } = this.#opened;
      // The worker itself reports a layer that is away.
      const onLayerAway = () => undefined;
      const onEvent = (event: ServerEvent) => operations.served(event);
      const logger = this.#logger.child('http');
      const options = { site: this.#site, layer, logger, listen, onEvent, onLayerAway };
      if (listen.length > 0) this.#server = await SiteServer.start(options);
      const channels = report.channels.join(', ');
      const text = `worker ${report.workerId} of site ${this.#site.name} listens on ${channels}`;
      this.#logger.info(text, { version });
      this.#openConsole();
      this.#openAlarms();
      onListening(report);
      if (!stop.aborted) {
        this.#duties.start();
        operations.ready();
        await aborted(AbortSignal.any([stop, stopping.signal, this.#drained.signal]));
      }
      if (failure !== undefined) throw failure;
      this.#logger.info(`worker ${report.workerId} stops`);
    } finally {
      operations.stopping();
      stopping.abort();
      await this.#close(working);
    }
  }

  #openConsole(): void {
    const { console: listen } = this.#settings;
    const logger = this.#logger.child('console');
    if (listen !== '') this.#console = new WorkerConsole({ site: this.#site, logger, listen });
  }

  #openAlarms(): void {
    const { store, layer } = this.#opened;
    const { databaseClock: clock, registry } = this.#membership;
    this.#alarms = new AlarmService({
      site: this.#site,
      store,
      layer,
      clock,
      logger: this.#logger.child('alarms'),
      watcher: registry.id,
      startedAt: clock.now(),
      workers: () => registry.living(),
    });
    this.#alarms.start();
  }

  /** Logs an uncaught error. The caller stops the worker. */
  crashed(error: unknown): void {
    this.#logger.critical('uncaught error; the worker stops', { error });
  }

  /** Starts no jobs until {@link resume}. */
  pause(): void {
    this.#schedule.loop.pause();
    this.#logger.info('paused: no jobs start until SIGCONT');
  }

  resume(): void {
    if (!this.#schedule.loop.paused) return;
    this.#schedule.loop.resume();
    this.#logger.info('resumed: jobs start again');
  }

  /** Reopens the log file, and applies the settings that can change while the worker runs. */
  async reload(settings: Settings): Promise<void> {
    await this.#log.coroutine.reopen();
    const before = this.#settings;
    const { logLevel, logLevels } = settings;
    this.#settings = { ...before, logLevel, logLevels };
    this.#own.levels.tree.configure(configuredLevels(settings));
    const others = settingNames.filter(
      (key) =>
        key !== 'logLevel' &&
        key !== 'logLevels' &&
        JSON.stringify(settings[key]) !== JSON.stringify(before[key]),
    );
    const rest = others.length === 0 ? '' : `; restart the worker to change ${others.join(', ')}`;
    this.#logger.info(`the configuration was read again, the log level is ${logLevel}${rest}`);
  }

  /** Logs a failed reload. The worker keeps its settings. */
  reloadFailed(error: unknown): void {
    this.#logger.error('the configuration could not be read again; the worker keeps the old one', error);
  }

  /** Logs the state of the worker. */
  dump(): void {
    // At any level, because a person asked for it.
    const level = this.#logger.isEnabledFor('INFO') ? 'INFO' : this.#logger.level;
    this.#logger.log(level, 'status', this.#reports.report());
  }

  async #start(): Promise<StartReport> {
    const { channels, initiate } = this.#opened.options;
    await this.#membership.databaseClock.measure();
    const procedures = Array.from(Procedures, ({ name }) => name);
    await this.#membership.registry.join(channels, version, { procedures, maxJobs: this.#settings.maxJobs });
    await this.#duties.noticeDead();
    await this.#duties.takeChanges();
    for (const { message } of this.#opened.broken)
      this.#logger.error(`${message}; this worker runs without the procedures of that file`);
    const sync = await this.#schedule.tasks.tasks.setup({ isComplete: this.#opened.broken.length === 0 });
    for (const [kind, names] of Object.entries(sync)) {
      if (names.length > 0) this.#logger.info(`rules ${kind}: ${names.join(', ')}`);
    }
    if (initiate)
      for (const coroutine of coroutines)
        await this.#membership.orders.add(coroutine, 'runworker --initiate');
    return {
      workerId: this.#membership.registry.id,
      channels,
      layerAnswers: await this.#duties.layerAnswers(),
      migrated: this.#opened.store.migrated,
      rules: await this.#schedule.tasks.rules.count(),
      sync,
      started: await this.#membership.orders.list(),
    };
  }

  /** Takes every step, also after a failure, and throws the first failure at the end. */
  async #close(working: Promise<unknown>): Promise<void> {
    const graceMs = this.#settings.graceSeconds * 1000;
    const steps: ReadonlyArray<() => unknown> = [
      () => this.#duties.withdraw(),
      () => this.#alarms?.close(),
      () => this.#membership.registry.announceLeave(),
      // Handlers, requests and jobs share the grace. The heartbeat continues, because this worker still writes the log.
      async () => {
        const results = await Promise.allSettled([
          working,
          this.#schedule.loop.stop(graceMs),
          this.#server?.close(graceMs),
          this.#console?.close(graceMs),
        ]);
        for (const result of results) if (result.status === 'rejected') throw result.reason;
      },
      () => this.#schedule.tasks.close(),
      () => this.#duties.stop(),
      () => this.#log.socket?.stop(),
      () => this.#log.service.stop(),
      () => this.#own.close(),
      () => this.#membership.registry.leave(),
      () => this.#schedule.tasks.ends.giveUpLost(),
      () => this.#opened.layer.close(),
      () => this.#opened.store.close(),
      () => this.#opened.operations.close(),
    ];
    const failures: unknown[] = [];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    const [first] = failures.filter((error) => !(error instanceof ChannelsError));
    if (first !== undefined) throw first;
  }

  #application(): Application {
    const { store, layer, ownChannel } = this.#opened;
    const { tasks, loop } = this.#schedule;
    const requests = new MessageRequests({
      store,
      layer,
      group: this.#site.workersGroup,
      requests: tasks.requests,
      loop,
      logger: this.#logger.child('push'),
    });
    const services: LinodServices = {
      workerId: this.#membership.registry.id,
      startTasks: (by) => this.#duties.startTasks(by),
      startLogger: (by) => this.#duties.startLogger(by),
      status: () => this.#schedule.tasks.tasks.status(),
      request: (action, rule, by, args) => requests.add(action, rule, by, args),
      requested: (request) => requests.state(request),
      push: (order, by) => requests.push(order, by),
      wake: () => this.#schedule.loop.wake(),
      obey: () => this.#duties.obey(),
      report: () => this.#reports.report(),
      takeLevels: (levels) => this.#own.levels.take(levels),
      record: (record) => this.#log.coroutine.accept(record),
    };
    const linod = Consumer.application(() => new LinodConsumer(this.#opened.layer, services));
    const others = Object.entries(this.#site.settings.consumers);
    return ChannelNameRouter({
      ...Object.fromEntries(others.map(([channel, consumer]) => [channel, applicationOf(consumer)])),
      [this.#site.channel]: linod,
      [ownChannel]: linod,
    });
  }

  #onWorkerEvent(event: WorkerEvent): void {
    logWorkerEvent(this.#logger.child('channels'), event);
    if (event.type === 'deaf' || event.type === 'hearsAgain') this.#duties.beatNow();
    if (event.type === 'badMessage' || event.type === 'unknownType')
      this.#opened.operations.dropped(event.channel, 'malformed');
  }

  #onLogBlocked(why: unknown): void {
    if (why === undefined) this.#logger.info('the log can be written');
    else this.#logger.warning(`${this.#log.service.blockedBy ?? String(why)}; records are kept`);
    this.#duties.beatNow();
  }
}
