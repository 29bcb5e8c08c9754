// Makes the `ar` of a run, inline, in a thread or in a process.

import type { Clock } from '../base/clock.js';
import type { Logger } from '../log/logger.js';
import type { BaseRequest } from '../rules/base-request.js';
import type { Site } from '../site/site.js';
import type { Job, Progress } from './job.js';
import type { RunConnection } from './run-connection.js';
import type { RunStop } from './run-stop.js';
import type { RunWrites } from './run-writes.js';

/** The parts of a job that a run gets. */
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

/**
 * What a procedure is given. Its functions are its own, not methods, so that a procedure may take them out of
 * `ar`.
 */
export class RunRequest implements BaseRequest {
  readonly #parts: RequestParts;
  readonly site: Site;
  readonly user: string | null;
  readonly jobId: number;
  readonly dueAt: Date | null;
  readonly args: unknown;
  readonly attempt: number;
  readonly lastCheckpoint: unknown;
  readonly now: BaseRequest['now'] = () => new Date(this.#parts.clock.now());
  readonly progress: BaseRequest['progress'] = (done, total, text) =>
    this.#parts.log.progress({ done, total: total ?? null, text: text ?? null });
  readonly checkpoint: BaseRequest['checkpoint'] = (value, tx) => this.#parts.writes.checkpoint(value, tx);
  readonly transaction: BaseRequest['transaction'] = (work) => this.#parts.writes.transaction(work);
  readonly requestRun: BaseRequest['requestRun'] = (rule, args, options) =>
    this.#parts.writes.requestRun(rule, args, options);
  readonly debug: BaseRequest['debug'] = (message, fields) => this.logger.debug(message, fields);
  readonly info: BaseRequest['info'] = (message, fields) => this.logger.info(message, fields);
  readonly warning: BaseRequest['warning'] = (message, fields) => this.logger.warning(message, fields);
  readonly error: BaseRequest['error'] = (message, detail) => this.logger.error(message, detail);

  constructor(parts: RequestParts) {
    const { site, user, job } = parts;
    this.#parts = parts;
    this.site = site;
    this.user = user;
    this.jobId = job.id;
    this.dueAt = job.dueAt;
    this.args = job.args;
    this.attempt = job.attempt;
    this.lastCheckpoint = job.checkpoint;
  }

  get db(): BaseRequest['db'] {
    return this.#parts.connection.open();
  }

  get logger(): Logger {
    return this.#parts.log.logger;
  }

  get signal(): AbortSignal {
    return this.#parts.stop.signal;
  }
}
