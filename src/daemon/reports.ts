// The reports of a worker: a short one at each heartbeat, a full one as the answer to a ping.

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
}

export class Reports {
  readonly #context: ReportsContext;

  constructor(context: ReportsContext) {
    this.#context = context;
  }

  /** The short report, for the registry of workers. */
  health(): WorkerHealth {
    const { loop, log, databaseClock } = this.#context;
    return {
      tasks: loop.paused ? 'paused' : loop.started ? 'running' : 'off',
      logger: log.state,
      loggerTrouble: log.blockedBy,
      skewMs: databaseClock.skewMs,
      listeners: this.#stats().map(listenerHealth),
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

  #stats(): readonly ChannelStats[] {
    const { worker, log } = this.#context;
    return [...worker.stats(), ...log.stats()];
  }
}
