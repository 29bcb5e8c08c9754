// The reports of a worker: a short one at each heartbeat, a full one as the answer to a ping.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ChannelStats, Worker } from '../../channels/index.js';
import type { Clock } from '../base/clock.js';
import { version } from '../base/version.js';
import type { DatabaseClock } from '../membership/database-clock.js';
import { listenerHealth, type WorkerHealth } from '../membership/worker-health.js';
import type { TaskLoop } from '../scheduler/loop.js';
import type { Tasks } from '../scheduler/tasks.js';
import type { LogService } from './log-service.js';

export interface ReportsContext {
  readonly workerId: string;
  /** In ms since 1970, by the clock. */
  readonly startedAt: number;
  readonly clock: Pick<Clock, 'now'>;
  readonly databaseClock: Pick<DatabaseClock, 'skewMs'>;
  readonly loop: Pick<TaskLoop, 'started' | 'paused'>;
  readonly tasks: Pick<Tasks, 'running'>;
  readonly log: Pick<LogService, 'state' | 'blockedBy' | 'stats'>;
  readonly worker: Pick<Worker, 'stats'>;
  readonly isDraining: () => boolean;
}

/** How often the event loop is timed. Rarely, because a worker that has nothing to do should sleep. */
const lagSampleMs = 500;

export class Reports {
  readonly #context: ReportsContext;
  readonly #delay = monitorEventLoopDelay({ resolution: lagSampleMs });

  constructor(context: ReportsContext) {
    this.#context = context;
    this.#delay.enable();
  }

  /** The short report, for the registry of workers. */
  health(): WorkerHealth {
    const { loop, log, databaseClock, isDraining } = this.#context;
    return {
      tasks: loop.paused ? 'paused' : loop.started ? 'running' : 'off',
      logger: log.state,
      loggerTrouble: log.blockedBy,
      skewMs: databaseClock.skewMs,
      listeners: this.#stats().map(listenerHealth),
      isDraining: isDraining(),
      memoryBytes: process.memoryUsage.rss(),
      loopLagMs: this.#loopLagMs(),
    };
  }

  /** The full report, for a ping and for the log. */
  report(): Record<string, unknown> {
    const { workerId, startedAt, clock, tasks: running } = this.#context;
    const { tasks, logger } = this.health();
    return {
      worker: workerId,
      version,
      uptimeMs: clock.now() - startedAt,
      tasks,
      logger,
      jobs: running.running.map((job) => ({
        job: job.id,
        rule: job.ruleId,
        procedure: job.procedure,
      })),
      channels: this.#stats().map((stats) => {
        const { received, handled, failed, dropped } = stats;
        return { ...listenerHealth(stats), received, handled, failed, dropped };
      }),
      memoryBytes: process.memoryUsage.rss(),
    };
  }

  /** The longest time for which a timer waited for other work, in about the last heartbeat. */
  #loopLagMs(): number {
    const { max } = this.#delay;
    this.#delay.reset();
    return Math.max(0, Math.round(max / 1e6) - lagSampleMs);
  }

  #stats(): readonly ChannelStats[] {
    const { worker, log } = this.#context;
    return [...worker.stats(), ...log.stats()];
  }
}
