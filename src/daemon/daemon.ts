// The worker process of a site: opens what it needs, runs until it is told to stop, closes in the reverse order.

import { join } from 'node:path';
import {
  type Application,
  type ChannelLayer,
  ChannelNameRouter,
  ChannelsError,
  type ConnectionChange,
  Consumer,
  type DroppedMessage,
  type LayerWarning,
  Worker,
  type WorkerEvent,
} from '../../channels/index.js';
import { type SteadyClock, systemClock } from '../clock.js';
import { LinodConsumer, type LinodServices, type RequestState, type Started } from '../consumers/linod.js';
import { durationText } from '../duration.js';
import { guardAtExit } from '../log/exit-guard.js';
import { LogSocketKeeper } from '../log/foreign/log-socket-keeper.js';
import { LayerTransport } from '../log/layer-transport.js';
import { SiteLevels } from '../log/levels/site-levels.js';
import { LocalTransport } from '../log/local-transport.js';
import { LogLock } from '../log/log-lock.js';
import { Logger } from '../log/logger.js';
import { LoggerCoroutine } from '../log/logger-coroutine.js';
import type { LogRecord } from '../log/messages.js';
import { KyselyPositionStore } from '../log/positions.js';
import { LogSender } from '../log/sender.js';
import type { LogSink } from '../log/sink.js';
import { senderTuning } from '../log/tuning.js';
import { DatabaseClock } from '../membership/database-clock.js';
import { Lease } from '../membership/lease.js';
import { WorkerRegistry } from '../membership/registry.js';
import { type Coroutine, coroutines, StartOrders } from '../membership/start-orders.js';
import { SwitchOffs } from '../membership/switch-offs.js';
import { Procedures } from '../procedure.js';
import { requestState } from '../run-job.js';
import { applicationOf, leasesOf } from '../site/consumers.js';
import { settingNames } from '../site/resolve-settings.js';
import { configuredLevels, rotationOf, type Settings } from '../site/settings.js';
import type { Site } from '../site.js';
import type { Following, NewsTopic } from '../store/backend.js';
import type { Store } from '../store/store.js';
import { createTasks, type SiteTasks } from '../tasks/create-tasks.js';
import { TaskLoop } from '../tasks/loop.js';
import type { SyncReport } from '../tasks/rules.js';
import { version } from '../version.js';
import { awaitStore } from './awaited-store.js';
import { checkChannels } from './check-channels.js';
import { Heartbeat } from './heartbeat.js';
import { logPlace } from './log-place.js';
import { LogService } from './log-service.js';
import { PushService } from './push-service.js';
import { Reports } from './reports.js';
import { tee } from './tee.js';
import { logConnection, logDropped, logLayerWarning, logWorkerEvent } from './worker-log.js';

export interface DaemonOptions {
  readonly site: Site;
  /** The channels to listen on: the site's own, and those of its consumers. */
  readonly channels: readonly string[];
  /** Whether to start the coroutines without an order. */
  readonly initiate: boolean;
  /** Also given what the worker itself logs. */
  readonly terminal?: LogSink;
  readonly clock?: SteadyClock;
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

/** A membership of a group ends by itself after a day. */
const renewGroupMs = 3_600_000;

/**
 * @example
 * const daemon = await Daemon.open({ site, channels: [site.channel], initiate: false }, signal);
 * await daemon?.run(signal);
 */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #site: Site;
  readonly #clock: SteadyClock;
  readonly #store: Store;
  readonly #layer: ChannelLayer;
  readonly #sender: LogSender;
  readonly #unguard: () => void;
  readonly #levels: SiteLevels;
  readonly #logger: Logger;
  readonly #databaseClock: DatabaseClock;
  readonly #registry: WorkerRegistry;
  readonly #orders: StartOrders;
  readonly #tasks: SiteTasks;
  readonly #loop: TaskLoop;
  readonly #log: LogService;
  readonly #logSocket: LogSocketKeeper | null;
  readonly #pushes: PushService;
  readonly #coroutine: LoggerCoroutine;
  readonly #heartbeat: Heartbeat;
  readonly #worker: Worker;
  /** The channel that only this worker receives on, for what concerns all workers. */
  readonly #ownChannel: string;
  readonly #reports: Reports;
  #settings: Settings;
  #joinedGroupAt = Number.NEGATIVE_INFINITY;
  #following: Following | null = null;
  #isStopping = false;

  /**
   * Loads the site's procedures and opens its database and its channel layer. A database that is away is waited for.
   *
   * @returns null when `stop` is aborted while it is
   * @throws BadConfigError, StoreUnavailableError, NewerDatabaseError, UsageError for a channel without a consumer
   */
  static async open(options: DaemonOptions, stop: AbortSignal): Promise<Daemon | null> {
    const { site, terminal, clock = systemClock } = options;
    checkChannels(site, options.channels);
    await site.loadProcedures();
    const awaited = await awaitStore({
      open: () => site.openStore(),
      clock,
      signal: stop,
      onAway: ({ message }) => terminal?.write('ERROR', 'linod', `${message}; it is waited for`),
    });
    if (awaited === null) return null;
    const { store, awayMs } = awaited;
    try {
      let tellDropped: ((dropped: DroppedMessage) => void) | undefined;
      let tellConnection: ((change: ConnectionChange) => void) | undefined;
      let tellWarning: ((warning: LayerWarning) => void) | undefined;
      const layer = await site.openLayer({
        onDrop: (dropped) => tellDropped?.(dropped),
        onConnection: (change) => tellConnection?.(change),
        onWarning: (warning) => tellWarning?.(warning),
      });
      const daemon = new Daemon(options, store, layer, await layer.newChannel('linod'));
      // Nothing is sent or received, and so nothing to be told, before.
      tellDropped = (dropped) => logDropped(daemon.#logger, dropped);
      tellConnection = (change) => logConnection(daemon.#logger, change);
      tellWarning = (warning) => logLayerWarning(daemon.#logger, warning);
      if (awayMs > 0)
        daemon.#logger.warning(
          `the database was away for ${durationText(awayMs)} when this worker was started`,
        );
      return daemon;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  private constructor(options: DaemonOptions, store: Store, layer: ChannelLayer, ownChannel: string) {
    const { site, terminal, channels } = options;
    const clock = options.clock ?? systemClock;
    const { timezone } = site.settings;
    this.#options = options;
    this.#site = site;
    this.#settings = site.settings;
    this.#clock = clock;
    const startedAt = clock.now();
    this.#store = store;
    this.#layer = layer;
    this.#ownChannel = ownChannel;

    const elsewhere = new LayerTransport({
      open: async () => layer,
      ownsLayer: false,
      channel: site.logChannel,
      clock,
      onLevels: (overrides) => this.#levels.take(overrides),
    });
    const local = new LocalTransport(elsewhere);
    const { spoolDirectory, logFile } = site;
    const { logFormat: format } = site.settings;
    this.#sender = new LogSender({
      name: 'linod',
      transport: local,
      spoolDirectory,
      tellsPlaces: true,
      tuning: senderTuning(site.settings),
      timezone,
      format,
      clock,
    });
    this.#unguard = guardAtExit(this.#sender);
    const sink = terminal === undefined ? this.#sender : tee(this.#sender, terminal);
    this.#levels = new SiteLevels({
      logDirectory: site.logDirectory,
      clock,
      label: this.#sender.label,
    });
    this.#levels.start(configuredLevels(site.settings));
    this.#logger = new Logger({ sink, name: 'linod', levels: this.#levels.tree });

    this.#databaseClock = new DatabaseClock(store.time, clock, this.#logger);
    this.#registry = new WorkerRegistry(store.db, this.#databaseClock);
    const workerId = this.#registry.id;
    this.#orders = new StartOrders(store.db, clock);
    const logger = this.#logger.child('tasks');
    this.#tasks = createTasks({
      site,
      store,
      clock: this.#databaseClock,
      adjustClock: () => this.#databaseClock.measure(),
      sink: this.#sender,
      levels: this.#levels.tree,
      logger,
      workerId,
      onPlace: () => this.#loop.wake(),
    });
    this.#loop = new TaskLoop(this.#tasks.tasks, this.#databaseClock, logger);

    this.#pushes = new PushService({
      db: store.db,
      logger: this.#logger.child('push'),
      run: (rule, by) => this.#request('run', rule, by),
    });

    const place = logPlace(site);
    const logTrouble = terminal === undefined ? undefined : logTroubleTo(terminal);
    const lock = new LogLock(logFile, workerId);
    this.#coroutine = new LoggerCoroutine({
      layer,
      channel: site.logChannel,
      path: logFile,
      sync: site.settings.logSync,
      orderMs: site.settings.logOrderMs,
      positions: new KyselyPositionStore(store.db, { place }),
      clock,
      timezone,
      format,
      rotation: rotationOf(site.settings),
      fence: lock,
      levels: () => this.#levels.known,
      thresholds: this.#levels.tree,
      sender: this.#sender,
      local,
      // A process that ended before it had read the configuration left its records at the default place.
      spoolDirectories: [...new Set([spoolDirectory, join(site.directory, 'log', 'spool')])],
      onTrouble: logTrouble,
    });
    const channelLogger = this.#logger.child('channels');
    this.#log = new LogService({
      coroutine: this.#coroutine,
      lease: new Lease(store.db, this.#databaseClock, `log ${place}`.trimEnd(), workerId),
      lock,
      layer,
      channel: site.logChannel,
      clock,
      onEvent: (event) => this.#onWorkerEvent(channelLogger, event),
      onBlocked: (why) => this.#tellBlocked(why),
    });
    const { logSocket: path, logSocketMode } = site.settings;
    const socketOptions = {
      path,
      mode: Number.parseInt(logSocketMode, 8),
      sender: this.#sender,
      levels: this.#levels.tree,
      clock,
    };
    const onTrouble = (error: unknown) => this.#tellSocket(error);
    this.#logSocket = path === '' ? null : new LogSocketKeeper({ ...socketOptions, onTrouble });
    this.#heartbeat = new Heartbeat({
      clock,
      logger: this.#logger,
      steps: [
        // The lease first: whatever else is slow must not cost this worker the log.
        () => this.#log.beat(),
        () => this.#databaseClock.measure(),
        () => this.#tellAlive(),
        () => this.#joinGroup(),
        () => this.#noticeDead(),
        () => this.#followOrders(),
        () => this.#lookOutside(),
      ],
    });
    this.#worker = new Worker({
      application: this.#application(),
      layer,
      channels: [...channels, ownChannel],
      lease: leasesOf(site.settings.consumers),
      graceMs: site.settings.graceSeconds * 1000,
      onEvent: (event) => this.#onWorkerEvent(channelLogger, event),
    });
    this.#reports = new Reports({
      workerId,
      startedAt,
      clock,
      loop: this.#loop,
      tasks: this.#tasks.tasks,
      log: this.#log,
      worker: this.#worker,
    });
  }

  /**
   * Runs until `stop` is aborted, then drains: takes no more messages and no more due times, waits for handlers and
   * jobs up to the site's grace, asks jobs to end, writes what was logged, and closes everything.
   *
   * @param onListening called once when the worker listens
   */
  async run(stop: AbortSignal, onListening: (report: StartReport) => void): Promise<void> {
    const stopping = new AbortController();
    let working: Promise<unknown> = Promise.resolve();
    try {
      const report = await this.#start();
      await this.#logSocket?.start();
      // It fails only when the layer cannot be listened on at all, and then there is nothing to go on with.
      let failure: unknown;
      working = this.#worker.run(stopping.signal).catch((error: unknown) => {
        failure = error;
        stopping.abort();
      });
      const channels = report.channels.join(', ');
      this.#logger.info(`worker ${report.workerId} of site ${this.#site.name} listens on ${channels}`, {
        version,
      });
      onListening(report);
      if (!stop.aborted) {
        this.#heartbeat.start();
        this.#following = this.#follow();
        await aborted(AbortSignal.any([stop, stopping.signal]));
      }
      if (failure !== undefined) throw failure;
      this.#logger.info(`worker ${report.workerId} stops`);
    } finally {
      stopping.abort();
      await this.#close(working);
    }
  }

  /** Something threw that nobody caught: it is told, and the worker had better be stopped. */
  crashed(error: unknown): void {
    this.#logger.critical('an error that nobody caught; the worker stops', { error });
  }

  /** Takes no new work until {@link resume}. */
  pause(): void {
    this.#loop.pause();
    this.#logger.info('no new work is taken until SIGCONT');
  }

  resume(): void {
    if (!this.#loop.paused) return;
    this.#loop.resume();
    this.#logger.info('new work is taken again');
  }

  /** Opens the log file anew, and takes over those of the settings that can change while the worker runs. */
  async reload(settings: Settings): Promise<void> {
    await this.#coroutine.reopen();
    const before = this.#settings;
    const { logLevel, logLevels } = settings;
    this.#settings = { ...before, logLevel, logLevels };
    this.#levels.tree.configure(configuredLevels(settings));
    const others = settingNames.filter(
      (key) =>
        key !== 'logLevel' &&
        key !== 'logLevels' &&
        JSON.stringify(settings[key]) !== JSON.stringify(before[key]),
    );
    const told = others.length === 0 ? '' : `; ${others.join(', ')} will change when the worker is restarted`;
    this.#logger.info(`the configuration was read again, the log level is ${logLevel}${told}`);
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
    // Whatever the level: somebody asked for it.
    const level = this.#logger.isEnabledFor('INFO') ? 'INFO' : this.#logger.level;
    this.#logger.log(level, 'status', this.#reports.report());
  }

  async #start(): Promise<StartReport> {
    const { channels, initiate } = this.#options;
    await this.#databaseClock.measure();
    const procedures = Array.from(Procedures, ({ name }) => name);
    await this.#registry.join(channels, version, { procedures, maxJobs: this.#settings.maxJobs });
    const off = await new SwitchOffs(this.#store.db, this.#clock).end();
    if (off !== null) this.#tasks.tasks.wasOff(off);
    await this.#noticeDead();
    await this.#lookOutside();
    const sync = await this.#tasks.tasks.setup();
    for (const [kind, names] of Object.entries(sync)) {
      if (names.length > 0) this.#logger.info(`rules ${kind}: ${names.join(', ')}`);
    }
    if (initiate)
      for (const coroutine of coroutines) await this.#orders.add(coroutine, 'runworker --initiate');
    return {
      workerId: this.#registry.id,
      channels,
      migrated: this.#store.migrated,
      rules: await this.#tasks.rules.count(),
      sync,
      started: await this.#orders.list(),
    };
  }

  /** Every step is done although one before it failed; the first failure is told at the end. */
  async #close(working: Promise<unknown>): Promise<void> {
    this.#isStopping = true;
    const failures: unknown[] = [];
    const step = async (what: () => Promise<unknown>): Promise<void> => {
      try {
        await what();
      } catch (error) {
        failures.push(error);
      }
    };
    await step(async () => this.#following?.close());
    // Handlers and jobs have the same time. The heart goes on beating: the log is still written here.
    await Promise.all([step(() => working), step(() => this.#loop.stop(this.#settings.graceSeconds * 1000))]);
    await step(() => this.#tasks.close());
    await step(() => this.#heartbeat.stop());
    await step(() => this.#layer.groupDiscard(this.#site.workersGroup, this.#ownChannel));
    await step(async () => this.#logSocket?.stop());
    await step(() => this.#log.stop());
    await step(() => this.#sender.close());
    this.#levels.close();
    this.#unguard();
    await step(() => this.#registry.leave());
    await step(() => this.#tasks.ends.giveUpLost());
    await step(() => this.#layer.close());
    await step(() => this.#store.close());
    const [first] = failures.filter((error) => !(error instanceof ChannelsError));
    if (first !== undefined) throw first;
  }

  #application(): Application {
    const services: LinodServices = {
      workerId: this.#registry.id,
      startTasks: (by) => this.#startTasks(by),
      startLogger: (by) => this.#startLogger(by),
      status: () => this.#tasks.tasks.status(),
      request: (action, rule, by, args) => this.#request(action, rule, by, args),
      requested: async (request) => await this.#requested(request),
      push: (order, by) => this.#pushes.push(order, by),
      wake: () => this.#loop.wake(),
      report: () => this.#reports.report(),
      takeLevels: (levels) => this.#levels.take(levels),
      record: (record: LogRecord) => this.#coroutine.accept(record),
    };
    const consumers = Object.entries(this.#site.settings.consumers);
    const linod = Consumer.application(() => new LinodConsumer(this.#layer, services));
    return ChannelNameRouter({
      ...Object.fromEntries(consumers.map(([channel, consumer]) => [channel, applicationOf(consumer)])),
      [this.#site.channel]: linod,
      [this.#ownChannel]: linod,
    });
  }

  async #request(
    action: 'run' | 'cancel',
    rule: number | string,
    by: string,
    args?: unknown,
  ): Promise<number> {
    const request = await this.#tasks.requests.add(rule, action, by, { args });
    this.#loop.wake();
    // This worker may be paused, or have no place. The message may be lost: all look by themselves now and then.
    await this.#layer.groupSend(this.#site.workersGroup, { type: 'rules.changed' }).catch(() => undefined);
    return request;
  }

  async #requested(request: number): Promise<RequestState> {
    const { outcome, job, isOver: over } = await requestState({ store: this.#store }, request);
    if (job === null) return { request, over, outcome, job };
    const { id, status, message, progress, startDatetime, endDatetime } = job;
    const times = { started: startDatetime.toISOString(), ended: endDatetime?.toISOString() ?? null };
    return { request, over, outcome, job: { id, status, message, progress, ...times } };
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

  #onWorkerEvent(logger: Logger, event: WorkerEvent): void {
    logWorkerEvent(logger, event);
    if (event.type !== 'deaf' && event.type !== 'hearsAgain') return;
    // One that is about to leave the registry must not enter it again after it has left.
    if (this.#isStopping) return;
    this.#tellAlive().catch(() => {
      // A database that is away is told by the heartbeat, which says the same some seconds later.
    });
  }

  #tellSocket(error: unknown): void {
    if (error === undefined) this.#logger.info('the log socket is open');
    else this.#logger.warning(error instanceof Error ? error.message : String(error));
  }

  #tellBlocked(why: unknown): void {
    if (why === undefined) this.#logger.info('the log can be written');
    else this.#logger.warning(`${this.#log.blockedBy ?? String(why)}; records are kept`);
    this.#tellAlive().catch(() => {
      // The heartbeat says the same some seconds later.
    });
  }

  async #tellAlive(): Promise<void> {
    if (await this.#registry.beat(JSON.stringify(this.#reports.health()))) return;
    this.#logger.warning('this worker was away so long that others took it for dead; its jobs were given up');
    this.#tasks.tasks.abortAll('the worker was away and the job was given up');
    this.#tasks.tasks.begin();
  }

  async #noticeDead(): Promise<void> {
    const dead = await this.#registry.markDead({ judgeSilence: true });
    const lost = await this.#tasks.ends.giveUpLost();
    for (const { id, why } of dead) this.#logger.warning(`worker ${id} is gone: ${why}`);
    for (const job of lost) this.#logger.warning(`job ${job.id} (${job.procedure}) is ${job.message}`);
    // What they ran may be to run again here.
    if (lost.length > 0) this.#loop.wake();
  }

  /** An order is followed although its message was lost, went to another worker, or came before this one's start. */
  async #followOrders(): Promise<void> {
    if (this.#isStopping || (this.#loop.started && this.#log.state !== 'off')) return;
    const orders = await this.#orders.list();
    if (orders.includes('run.system.tasks') && !this.#loop.started) this.#loop.start();
    if (orders.includes('log.server') && this.#log.state === 'off') await this.#log.start();
  }

  /** Hears of what commands and other workers write, soon after they do. */
  #follow(): Following | null {
    const { follow } = this.#store;
    if (follow === null) return null;
    return follow({
      clock: this.#clock,
      onNews: (topic) => this.#onNews(topic),
      onTrouble: (error) => {
        if (error === undefined) this.#logger.info('the database tells of news again');
        else
          this.#logger.warning('the database cannot tell of news now; the worker looks by itself', {
            error,
          });
      },
    });
  }

  #onNews(topic: NewsTopic): void {
    // What fails is done at the next beat, which also tells why.
    if (topic === 'start_orders') void this.#followOrders().catch(() => undefined);
    else if (topic === 'rule_changes') void this.#lookOutside().catch(() => undefined);
    else this.#loop.wake();
  }

  /** Takes over what was changed in the database by hand. */
  async #lookOutside(): Promise<void> {
    if (await this.#tasks.outside.look()) this.#loop.wake();
  }

  /** Joins the group of all workers, and renews that long before it ends. A layer that is away is tried again. */
  async #joinGroup(): Promise<void> {
    if (this.#isStopping || this.#clock.now() - this.#joinedGroupAt < renewGroupMs) return;
    try {
      await this.#layer.groupAdd(this.#site.workersGroup, this.#ownChannel);
      this.#joinedGroupAt = this.#clock.now();
    } catch (error) {
      if (!(error instanceof ChannelsError)) throw error;
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
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
