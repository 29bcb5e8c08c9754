// One run of a procedure: handing it what it needs, and ending it when it takes too long or is not wanted any more.

import { inspect } from 'node:util';
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
import type { Job, Outcome } from './job.js';
import { JobLog } from './job-log.js';
import type { Jobs } from './jobs.js';
import type { BaseRequest } from './request.js';
import type { JobRule } from './rule.js';

/** A run that was asked to end may take this long to do so; after that it is left behind. */
export const settleMs = 5000;

/** Why a run is to end: the reason of its signal. */
export class RunAbortedError extends LinodError {
  readonly status: 'cancelled' | 'timeout';
  /** How long the run may take to end. */
  readonly settleMs: number;

  constructor(status: 'cancelled' | 'timeout', why: string, patienceMs: number = settleMs) {
    super('LINOD_ERR_RUN_ABORTED', why);
    this.status = status;
    this.settleMs = patienceMs;
  }
}

/** The end of a run, as far as the job is concerned. */
export interface RunEnd {
  readonly outcome: Outcome;
  /** What did not react to its signal and may still be going on in this process; settles when it has ended. */
  readonly left: Promise<void> | null;
}

export interface RunnerContext {
  readonly site: Site;
  /** Opens a connection of the run's own: what a procedure does with it must not stop the worker's. */
  readonly connect: () => Kysely<Database>;
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
  async run(job: Job, rule: JobRule, user: string | null, signal: AbortSignal): Promise<RunEnd> {
    const { clock, procedures, jobs, sink, logLevel } = this.#context;
    const log = new JobLog({ job, jobs, sink, siteLevel: logLevel(), ruleLevel: rule.logLevel, clock });
    const connection = new LazyConnection(this.#context.connect);
    const stop = new AbortController();
    const onAbort = () => stop.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const disarm = clock.after(rule.policies.timeoutSeconds * 1000, () =>
      stop.abort(
        new RunAbortedError(
          'timeout',
          `ended at its time-out of ${durationText(rule.policies.timeoutSeconds * 1000)}`,
        ),
      ),
    );
    try {
      const procedure = procedures.get(rule.procedure);
      if (procedure === undefined)
        throw new LinodError('LINOD_ERR_NO_PROCEDURE', `no procedure ${rule.procedure}`);
      const work = procedure.run(this.#request(job, log, connection, user, stop.signal));
      return await this.#follow(work, stop.signal, log);
    } catch (error) {
      return { outcome: { status: 'failed', message: describe(error) }, left: null };
    } finally {
      disarm();
      signal.removeEventListener('abort', onAbort);
      // Also of a run that is left behind: what it still writes would not belong to its job any more.
      await connection.close();
      await log.close();
    }
  }

  async #follow(work: Promise<void>, signal: AbortSignal, log: JobLog): Promise<RunEnd> {
    const startedAt = this.#context.clock.now();
    let how: string | null = null;
    const ended = work.then(
      () => {
        how = 'it ended by itself';
      },
      (error: unknown) => {
        if (!signal.aborted) throw error;
        how = `it ended with: ${headline(error)}`;
      },
    );
    try {
      await Promise.race([ended, this.#patience(signal)]);
    } catch (error) {
      log.logger.error('failed', { error });
      return { outcome: { status: 'failed', message: describe(error) }, left: null };
    }
    if (!signal.aborted) {
      const took = durationText(this.#context.clock.now() - startedAt);
      return { outcome: { status: 'done', message: `done in ${took}` }, left: null };
    }
    const reason = abortReason(signal);
    const settled =
      how ?? `it did not react within ${durationText(reason.settleMs)} and may still be going on`;
    const message = `${reason.message}; ${settled}`;
    log.logger.warning(message);
    return { outcome: { status: reason.status, message }, left: how === null ? ended : null };
  }

  /** Settles some time after the abort, for a procedure that does not look at its signal. */
  #patience(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wait = () => this.#context.clock.after(abortReason(signal).settleMs, resolve);
      if (signal.aborted) wait();
      else signal.addEventListener('abort', wait, { once: true });
    });
  }

  #request(
    job: Job,
    log: JobLog,
    connection: LazyConnection,
    user: string | null,
    signal: AbortSignal,
  ): BaseRequest {
    const { site, clock } = this.#context;
    return {
      site,
      get db() {
        return connection.open();
      },
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

/** A connection that is opened when it is first asked for. */
class LazyConnection {
  readonly #connect: () => Kysely<Database>;
  #db: Kysely<Database> | null = null;
  #closed = false;

  constructor(connect: () => Kysely<Database>) {
    this.#connect = connect;
  }

  open(): Kysely<Database> {
    if (this.#closed)
      throw new LinodError('LINOD_ERR_RUN_OVER', 'the run is over, and its database connection closed');
    this.#db ??= this.#connect();
    return this.#db;
  }

  /** Ends the connection and what is left open on it. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#db?.destroy();
  }
}

function abortReason(signal: AbortSignal): RunAbortedError {
  if (signal.reason instanceof RunAbortedError) return signal.reason;
  return new RunAbortedError('cancelled', `ended: ${headline(signal.reason)}`);
}

function headline(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : inspect(error, { depth: 0 });
  return text.split('\n', 1)[0] ?? '';
}

/** What a job keeps of what was thrown: at most so many characters. */
const maxMessage = 64 * 1024;

/** Whatever was thrown as text: an error with its stack, its fields and its causes. */
function describe(error: unknown): string {
  const text = inspect(error, { depth: 4, breakLength: 110 });
  const told = error instanceof Error ? text : `threw ${text}`;
  return told.length > maxMessage ? `${told.slice(0, maxMessage)}…` : told;
}
