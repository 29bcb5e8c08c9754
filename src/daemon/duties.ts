// The duties of a worker besides its jobs: heartbeats, dead workers, start orders, and changes made in the
// database.

import { setTimeout } from 'node:timers/promises';
import { type ChannelLayer, ChannelsError } from '../../channels/index.js';
import type { SiteTasks } from '../actors/site-tasks.js';
import type { Clock } from '../base/clock.js';
import type { Started } from '../consumers/linod.js';
import type { Logger } from '../log/logger.js';
import type { DatabaseClock } from '../membership/database-clock.js';
import type { StartOrders } from '../membership/start-orders.js';
import type { WorkerOrders } from '../membership/worker-orders.js';
import type { WorkerRegistry } from '../membership/worker-registry.js';
import type { TaskLoop } from '../scheduler/loop.js';
import type { Subscription, WatchedTable } from '../store/backend.js';
import type { Store } from '../store/store.js';
import { Heartbeat } from './heartbeat.js';
import type { LogService } from './log-service.js';
import type { Reports } from './reports.js';

export interface DutiesContext {
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  readonly logger: Logger;
  readonly store: Store;
  readonly layer: ChannelLayer;
  /** The group of all workers, and this one's own channel in it. */
  readonly group: string;
  readonly ownChannel: string;
  readonly registry: WorkerRegistry;
  readonly orders: StartOrders;
  readonly workerOrders: WorkerOrders;
  readonly tasks: SiteTasks;
  readonly loop: TaskLoop;
  readonly log: LogService;
  readonly reports: () => Reports;
  /** Called when this worker was drained and runs no jobs any more. */
  readonly onDrained: () => void;
}

/** How often to join the group again. A membership expires after a day. */
const renewGroupMs = 3_600_000;
/** How long a start waits for the channel layer. */
const answerMs = 1000;

export class Duties {
  readonly #context: DutiesContext;
  readonly #heartbeat: Heartbeat;
  #following: Subscription | null = null;
  #joinedGroupAt = Number.NEGATIVE_INFINITY;
  #isStopping = false;
  #isDraining = false;

  constructor(context: DutiesContext) {
    this.#context = context;
    const { clock, logger, log, databaseClock } = context;
    this.#heartbeat = new Heartbeat({
      clock,
      logger,
      steps: [
        // The lease comes first, so that a slow step cannot cost this worker the log.
        () => log.beat(),
        () => databaseClock.measure(),
        () => this.#takeOrders(),
        () => this.#beat(),
        () => this.#joinGroup(),
        () => this.noticeDead(),
        () => this.#followOrders(),
        () => this.takeChanges(),
      ],
    });
  }

  /** Whether the last heartbeat failed. */
  get heartbeatFails(): boolean {
    return this.#heartbeat.fails;
  }

  start(): void {
    const { store, clock, logger } = this.#context;
    this.#heartbeat.start();
    if (store.follow === null) return;
    this.#following = store.follow({
      clock,
      onChange: (table) => this.#onChange(table),
      onTrouble: (error) => {
        if (error === undefined) logger.info('the database notifies of changes again');
        else logger.warning('the database does not notify of changes now; the worker polls', { error });
      },
    });
  }

  /** Stops following changes and start orders. The heartbeat continues. */
  async withdraw(): Promise<void> {
    this.#isStopping = true;
    await this.#following?.close();
  }

  async stop(): Promise<void> {
    await this.#heartbeat.stop();
    await this.#context.layer.groupDiscard(this.#context.group, this.#context.ownChannel);
  }

  /** Reports this worker's health before the next beat. The next beat repeats and logs a failure. */
  beatNow(): void {
    // A stopping worker must not enter the registry again.
    if (!this.#isStopping) this.#beat().catch(() => undefined);
  }

  get isDraining(): boolean {
    // The signal CONT resumes a worker, too.
    return this.#isDraining && this.#context.loop.paused;
  }

  /** Takes the orders to this worker before the next beat, which repeats and logs a failure. */
  obey(): void {
    this.#takeOrders().catch(() => undefined);
  }

  async startTasks(by: string): Promise<Started> {
    const { orders, loop, logger } = this.#context;
    await orders.add('run.system.tasks', by);
    const already = loop.started;
    if (!already) logger.info(`task coroutine started, by ${by}`);
    loop.start();
    return { already };
  }

  async startLogger(by: string): Promise<Started> {
    const { orders, log, logger } = this.#context;
    await orders.add('log.server', by);
    const already = log.state !== 'off';
    if (!already) logger.info(`logger coroutine started, by ${by}`);
    await log.start();
    return { already };
  }

  /** Renews the membership of the group, to see whether the layer can be written. */
  async touchLayer(): Promise<void> {
    const { layer, group, ownChannel } = this.#context;
    if (!this.#isStopping) await layer.groupAdd(group, ownChannel);
  }

  /** Whether the channel layer answers within a second. */
  async layerAnswers(): Promise<boolean> {
    // The first beat repeats and logs a failure.
    const joined = this.#joinGroup().catch(() => undefined);
    await Promise.race([joined, setTimeout(answerMs)]);
    return Number.isFinite(this.#joinedGroupAt);
  }

  async noticeDead(): Promise<void> {
    const { registry, tasks, loop, logger } = this.#context;
    const dead = await registry.markDead({ judgeSilence: true });
    const lost = await tasks.ends.giveUpLost();
    for (const { id, why } of dead) logger.warning(`worker ${id} is gone: ${why}`);
    for (const job of lost) logger.warning(`job ${job.id} (${job.procedure}) is lost: ${job.message}`);
    // Lost jobs may run again here.
    if (lost.length > 0) loop.wake();
  }

  /** Applies changes that were made in the database by hand. */
  async takeChanges(): Promise<void> {
    if (await this.#context.tasks.outside.adoptAll()) this.#context.loop.wake();
  }

  async #beat(): Promise<void> {
    const { registry, reports, tasks, logger } = this.#context;
    if (await registry.beat(JSON.stringify(reports().health()))) return;
    logger.warning('this worker was silent for so long that another marked it as dead; its jobs are lost');
    tasks.tasks.abortAll('the worker was silent and the job was marked as lost');
    tasks.tasks.startPolling();
    // Others may have removed the rules of procedures that only this worker has.
    await tasks.tasks.setup({ isComplete: false });
  }

  /**
   * Joins the group of all workers, and renews the membership before it expires. The next beat tries again.
   */
  async #joinGroup(): Promise<void> {
    const { clock, layer, group, ownChannel } = this.#context;
    if (this.#isStopping || clock.now() - this.#joinedGroupAt < renewGroupMs) return;
    try {
      await layer.groupAdd(group, ownChannel);
      this.#joinedGroupAt = clock.now();
    } catch (error) {
      if (!(error instanceof ChannelsError)) throw error;
    }
  }

  /** Starts the ordered coroutines. The order's message may be lost, or older than this worker. */
  async #followOrders(): Promise<void> {
    const { loop, log, orders } = this.#context;
    if (this.#isStopping || (loop.started && log.state !== 'off')) return;
    const ordered = await orders.list();
    if (ordered.includes('run.system.tasks') && !loop.started) loop.start();
    if (ordered.includes('log.server') && log.state === 'off') await log.start();
  }

  async #takeOrders(): Promise<void> {
    const { workerOrders, registry, loop, logger, tasks, onDrained } = this.#context;
    if (this.#isStopping) return;
    const orders = await workerOrders.take(registry.id);
    for (const { action, by } of orders) {
      this.#isDraining = action === 'drain';
      if (action === 'resume') loop.resume();
      else loop.pause();
      logger.info(`${by} ordered this worker to ${action}`);
    }
    if (orders.length > 0) this.beatNow();
    if (this.isDraining && tasks.tasks.running.length === 0) onDrained();
  }

  #onChange(table: WatchedTable): void {
    // The next beat repeats and logs a failure.
    if (table === 'start_orders') this.#followOrders().catch(() => undefined);
    else if (table === 'rule_changes') this.takeChanges().catch(() => undefined);
    else this.#context.loop.wake();
  }
}
