// What a worker does besides its jobs: it says that it is alive, notices dead workers, follows orders, and takes over changes.

import { setTimeout } from 'node:timers/promises';
import { type ChannelLayer, ChannelsError } from '../../channels/index.js';
import type { SiteTasks } from '../actors/site-tasks.js';
import type { Clock } from '../base/clock.js';
import type { Started } from '../consumers/linod.js';
import type { Logger } from '../log/logger.js';
import type { DatabaseClock } from '../membership/database-clock.js';
import type { StartOrders } from '../membership/start-orders.js';
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
  readonly tasks: SiteTasks;
  readonly loop: TaskLoop;
  readonly log: LogService;
  readonly reports: () => Reports;
}

/** A membership of a group ends by itself after a day. */
const renewGroupMs = 3_600_000;
/** How long a start waits for the channel layer to say whether it is away. */
const answerMs = 1000;

export class Duties {
  readonly #context: DutiesContext;
  readonly #heartbeat: Heartbeat;
  #following: Subscription | null = null;
  #joinedGroupAt = Number.NEGATIVE_INFINITY;
  #isStopping = false;

  constructor(context: DutiesContext) {
    this.#context = context;
    const { clock, logger, log, databaseClock } = context;
    this.#heartbeat = new Heartbeat({
      clock,
      logger,
      steps: [
        // The lease first: whatever else is slow must not cost this worker the log.
        () => log.beat(),
        () => databaseClock.measure(),
        () => this.#beat(),
        () => this.#joinGroup(),
        () => this.noticeDead(),
        () => this.#followOrders(),
        () => this.takeChanges(),
      ],
    });
  }

  start(): void {
    const { store, clock, logger } = this.#context;
    this.#heartbeat.start();
    if (store.follow === null) return;
    this.#following = store.follow({
      clock,
      onChange: (table) => this.#onChange(table),
      onTrouble: (error) => {
        if (error === undefined) logger.info('the database tells of news again');
        else logger.warning('the database cannot tell of news now; the worker looks by itself', { error });
      },
    });
  }

  /** Hears of no more news, and takes on nothing new; the heart goes on beating. */
  async withdraw(): Promise<void> {
    this.#isStopping = true;
    await this.#following?.close();
  }

  async stop(): Promise<void> {
    await this.#heartbeat.stop();
    await this.#context.layer.groupDiscard(this.#context.group, this.#context.ownChannel);
  }

  /** Says how this worker is doing before the next beat. What fails is done at that, which also reports why. */
  beatNow(): void {
    // One that is about to leave the registry must not enter it again after it has left.
    if (!this.#isStopping) this.#beat().catch(() => undefined);
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

  /** Whether the channel layer has answered within a second. */
  async layerAnswers(): Promise<boolean> {
    // What fails is done at the first beat, which also reports why.
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
    // What they ran may be to run again here.
    if (lost.length > 0) loop.wake();
  }

  /** Takes over what was changed in the database by hand. */
  async takeChanges(): Promise<void> {
    if (await this.#context.tasks.outside.look()) this.#context.loop.wake();
  }

  async #beat(): Promise<void> {
    const { registry, reports, tasks, logger } = this.#context;
    if (await registry.beat(JSON.stringify(reports().health()))) return;
    logger.warning('this worker was away so long that others took it for dead; its jobs were given up');
    tasks.tasks.abortAll('the worker was away and the job was given up');
    tasks.tasks.begin();
    // Rules of procedures that nobody else has may have been put aside meanwhile.
    await tasks.tasks.setup({ isComplete: false });
  }

  /** Joins the group of all workers, and renews that long before it ends. A layer that is away is tried again. */
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

  /** An order is followed although its message was lost, went to another worker, or came before this one's start. */
  async #followOrders(): Promise<void> {
    const { loop, log, orders } = this.#context;
    if (this.#isStopping || (loop.started && log.state !== 'off')) return;
    const ordered = await orders.list();
    if (ordered.includes('run.system.tasks') && !loop.started) loop.start();
    if (ordered.includes('log.server') && log.state === 'off') await log.start();
  }

  #onChange(table: WatchedTable): void {
    // What fails is done at the next beat, which also reports why.
    if (table === 'start_orders') this.#followOrders().catch(() => undefined);
    else if (table === 'rule_changes') this.takeChanges().catch(() => undefined);
    else this.#context.loop.wake();
  }
}
