// One run of a procedure: handing it what it needs, and ending it when it takes too long or is not wanted any more.

import type { Kysely } from 'kysely';
import type { ChoiceList } from '../choices.js';
import type { Clock } from '../clock.js';
import { durationText } from '../duration.js';
import { LinodError } from '../errors.js';
import type { LevelName } from '../log/levels.js';
import type { LogSink } from '../log/sink.js';
import type { Procedure } from '../procedure.js';
import type { Site } from '../site.js';
import type { Database } from '../store/schema.js';
import type { Job } from './job.js';
import { JobLog } from './job-log.js';
import type { Jobs, Outcome } from './jobs.js';
import type { BaseRequest } from './request.js';
import type { JobRule } from './rule.js';

/** A run that was asked to end may take this long to do so; after that it is told as not reacting. */
export const settleMs = 5000;

/** Why a run was aborted: the reason of its signal. */
export class RunAbortedError extends LinodError {
  readonly status: 'cancelled' | 'timeout';

  constructor(status: 'cancelled' | 'timeout', why: string) {
    super('LINOD_ERR_RUN_ABORTED', why);
    this.status = status;
  }
}

export interface RunnerContext {
  readonly site: Site;
  readonly db: Kysely<Database>;
  readonly procedures: ChoiceList<Procedure>;
  readonly jobs: Jobs;
  /** Where what the runs log goes, and the level below which it is dropped. */
  readonly sink: LogSink;
  readonly logLevel: () => LevelName;
  readonly clock: Clock;
}

/** Runs procedures inline: in this process, on its event loop. */
export class JobRunner {
  readonly #context: RunnerContext;

  constructor(context: RunnerContext) {
    this.#context = context;
  }

  /**
   * Runs a job to its end and tells how it ended. Never rejects.
   *
   * @param signal aborted with a {@link RunAbortedError} when the run is to end before
   */
  async run(job: Job, rule: JobRule, user: string | null, signal: AbortSignal): Promise<Outcome> {
    const { clock, procedures, jobs, sink, logLevel } = this.#context;
    const procedure = procedures.get(rule.procedure);
    if (procedure === undefined) {
      return { status: 'failed', message: `no procedure ${rule.procedure} is registered in this worker` };
    }
    const log = new JobLog({ job, jobs, sink, siteLevel: logLevel(), ruleLevel: rule.logLevel, clock });
    const stop = new AbortController();
    const onAbort = () => stop.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const disarm = clock.after(rule.timeoutMs, () =>
      stop.abort(new RunAbortedError('timeout', `killed at its time-out of ${durationText(rule.timeoutMs)}`)),
    );
    const startedAt = clock.now();
    try {
      const work = procedure.run(this.#request(job, log, user, stop.signal));
      return await this.#outcome(work, stop.signal, startedAt, log);
    } finally {
      disarm();
      signal.removeEventListener('abort', onAbort);
      await log.close();
    }
  }

  async #outcome(work: Promise<void>, signal: AbortSignal, startedAt: number, log: JobLog): Promise<Outcome> {
    let how: string | null = null;
    const ended = work.then(
      () => {
        how = 'it ended by itself';
      },
      (error: unknown) => {
        how = signal.aborted ? `it ended with: ${headline(error)}` : null;
        if (!signal.aborted) throw error;
      },
    );
    try {
      await Promise.race([ended, this.#givenUp(signal)]);
    } catch (error) {
      log.logger.error('failed', error);
      return { status: 'failed', message: stackOf(error) };
    }
    if (!signal.aborted) {
      return { status: 'done', message: `done in ${durationText(this.#context.clock.now() - startedAt)}` };
    }
    const reason = abortReason(signal);
    const settled =
      how ?? `it did not react to its signal within ${durationText(settleMs)} and may still be going on`;
    log.logger.warning(`${reason.message}; ${settled}`);
    return { status: reason.status, message: `${reason.message}; ${settled}` };
  }

  /** Settles some time after the abort, for a procedure that does not look at its signal. */
  #givenUp(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wait = () => this.#context.clock.after(settleMs, resolve);
      if (signal.aborted) wait();
      else signal.addEventListener('abort', wait, { once: true });
    });
  }

  #request(job: Job, log: JobLog, user: string | null, signal: AbortSignal): BaseRequest {
    const { site, db, clock } = this.#context;
    return {
      site,
      db,
      signal,
      user,
      logger: log.logger,
      jobId: job.id,
      now: () => new Date(clock.now()),
      progress: (done, total, text) => log.progress({ done, total: total ?? null, text: text ?? null }),
      debug: (message, fields) => log.logger.debug(message, fields),
      info: (message, fields) => log.logger.info(message, fields),
      warning: (message, fields) => log.logger.warning(message, fields),
    };
  }
}

function abortReason(signal: AbortSignal): RunAbortedError {
  if (signal.reason instanceof RunAbortedError) return signal.reason;
  return new RunAbortedError('cancelled', `aborted: ${headline(signal.reason)}`);
}

function headline(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.split('\n', 1)[0] ?? '';
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${typeof error === 'string' ? error : JSON.stringify(error)}`;
  const stack = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause === undefined ? stack : `${stack}\ncaused by: ${stackOf(error.cause)}`;
}
