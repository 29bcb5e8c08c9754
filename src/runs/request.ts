// Makes the `ar` of a run, wherever it takes place.

import type { Clock } from '../clock.js';
import type { Logger } from '../log/logger.js';
import type { Site } from '../site.js';
import type { Job, Progress } from '../tasks/job.js';
import type { BaseRequest } from '../tasks/request.js';
import type { RunConnection } from './connection.js';
import type { RunStop } from './stop.js';
import type { RunWrites } from './writes.js';

/** What of a job a run is told. */
export type RunOfJob = Pick<Job, 'id' | 'procedure' | 'dueAt' | 'args' | 'attempt' | 'checkpoint'>;

export interface RequestParts {
  readonly site: Site;
  readonly job: RunOfJob;
  readonly user: string | null;
  readonly log: { readonly logger: Logger; progress(progress: Progress): void };
  readonly connection: RunConnection;
  readonly writes: RunWrites;
  readonly stop: RunStop;
  readonly clock: Pick<Clock, 'now'>;
}

/** Functions of their own, not methods, so that a procedure may take them out of `ar`. */
export function createRequest({
  site,
  job,
  user,
  log,
  connection,
  writes,
  stop,
  clock,
}: RequestParts): BaseRequest {
  return {
    site,
    get db() {
      return connection.open();
    },
    get logger() {
      return log.logger;
    },
    get signal() {
      return stop.signal;
    },
    user,
    jobId: job.id,
    dueAt: job.dueAt,
    args: job.args,
    attempt: job.attempt,
    lastCheckpoint: job.checkpoint,
    now: () => new Date(clock.now()),
    progress: (done, total, text) => log.progress({ done, total: total ?? null, text: text ?? null }),
    checkpoint: (value, tx) => writes.checkpoint(value, tx),
    transaction: (work) => writes.transaction(work),
    requestRun: (rule, args, options) => writes.requestRun(rule, args, options),
    debug: (message, fields) => log.logger.debug(message, fields),
    info: (message, fields) => log.logger.info(message, fields),
    warning: (message, fields) => log.logger.warning(message, fields),
  };
}
