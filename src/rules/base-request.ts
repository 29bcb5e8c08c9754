// What a procedure is handed: the original's `ar`.

import type { Kysely, QueryExecutorProvider, Transaction } from 'kysely';
import type { Fields } from '../log/fields.js';
import type { Logger } from '../log/logger.js';
import type { Site } from '../site/site.js';
import type { Database } from '../store/schema.js';

/** What may be said with a request for a run. */
export interface RequestOptions {
  /** Given to the run as `ar.args`. */
  readonly args?: unknown;
  /** Not before; default: at once. */
  readonly runAt?: Date;
  /** Default: that of the rule. */
  readonly priority?: number;
  /** Whether the run and its further attempts log at DEBUG, whatever the levels say; default: no. */
  readonly debug?: boolean;
}

/** The same, of a run that another run asks for. */
export interface RunRequestOptions extends Omit<RequestOptions, 'args'> {
  /** Asks within this transaction: the run is wanted if and when that is committed. */
  readonly tx?: QueryExecutorProvider;
}

/** The request on whose behalf a procedure runs. It is the same inline, in a thread and in a process. */
export interface BaseRequest<Args = unknown> {
  readonly site: Site;
  /** The site's database. */
  readonly db: Kysely<Database>;
  /** Logs to `lino.log`, and to the job from the rule's log level on. */
  readonly logger: Logger;
  /** Aborted when the run is to end: its timeout, a person's request, or the worker's stop. */
  readonly signal: AbortSignal;
  /** Who asked for the run; `null` when its time had come. */
  readonly user: string | null;
  /** The run's number, as `linod job N` wants it; 0 where a command does the work in its own process. */
  readonly jobId: number;
  /** The time at which it was due; `null` for a run that was asked for. */
  readonly dueAt: Date | null;
  /** What it was asked for with, as the procedure's `parseArgs` has read it; `null` for nothing. */
  readonly args: Args;
  /** 1, and one more for each attempt after a failure or a loss. */
  readonly attempt: number;
  /** What the attempt before this one has left with {@link checkpoint}; `null` for nothing. */
  readonly lastCheckpoint: unknown;
  /** The time by the worker's clock. */
  now(): Date;
  /** Says how far the run has come; `linod job N` shows it. `total` makes a percentage of it. */
  progress(done: number, total?: number, text?: string): void;
  /**
   * Keeps a value for the next attempt, should this one fail or be lost. It is stored when this resolves, and
   * replaces the one before.
   *
   * @param value anything that JSON can say, up to 1 MiB; `null` to forget it
   * @param tx keeps it within this transaction, together with what else that writes
   * @throws RunLostError (`LINOD_ERR_RUN_LOST`) when the run was given up; UsageError (`LINOD_ERR_USAGE`)
   */
  checkpoint(value: unknown, tx?: QueryExecutorProvider): Promise<void>;
  /**
   * Does something in one transaction that first proves that the run is still this worker's. A worker that
   * was away so long that its run was given up writes nothing over the run that came after.
   *
   * As with `transact`, `work` may be called again, so it must do nothing but ask and write through its
   * transaction.
   *
   * @example
   * await ar.transaction(async (tx) => {
   *   await tx.withTables<Shop>().updateTable('orders').set({ paid: 1 }).where('id', '=', 17).execute();
   *   await ar.checkpoint({ order: 17 }, tx);
   * });
   * @throws RunLostError (`LINOD_ERR_RUN_LOST`) when the run was given up
   */
  transaction<T>(work: (tx: Transaction<Database>) => Promise<T>): Promise<T>;
  /**
   * Asks for a run of a rule, as a person may with `linod rule N run`.
   *
   * @param rule its number, its name, or the name of its procedure, where that has one rule only
   * @param args what that run gets as its `args`: anything that JSON can say
   * @returns the number of the request, when it is stored
   * @throws RunLostError (`LINOD_ERR_RUN_LOST`) when this run was given up; UnknownRuleError
   * (`LINOD_ERR_UNKNOWN_RULE`),
   *   AmbiguousRuleError (`LINOD_ERR_AMBIGUOUS_RULE`)
   */
  requestRun(rule: number | string, args?: unknown, options?: RunRequestOptions): Promise<number>;
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warning(message: string, fields?: Fields): void;
  /** @param detail fields, or an error whose stack follows the message */
  error(message: unknown, detail?: unknown): void;
}
