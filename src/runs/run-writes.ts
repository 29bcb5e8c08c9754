// What a run writes into the database for itself, and only as long as it is its worker's.

import type { Kysely, QueryExecutorProvider, Transaction } from 'kysely';
import { QueryCreator } from 'kysely';
import type { Clock } from '../base/clock.js';
import { LinodError, UsageError } from '../base/errors.js';
import type { RunRequestOptions } from '../rules/base-request.js';
import { limitIdleTransaction } from '../store/dialect.js';
import type { Database } from '../store/schema.js';
import { transact } from '../store/transact.js';
import { addRequest } from './add-request.js';
import { jsonText } from './job.js';
import type { RunConnection } from './run-connection.js';

/** A run wrote after it had been given up: its worker was away so long that it was taken for dead. */
export class RunLostError extends LinodError {
  readonly jobId: number;

  constructor(jobId: number) {
    super(
      'LINOD_ERR_RUN_LOST',
      `job ${jobId} is no longer this worker's: it has been given up, and its rule may run again elsewhere; nothing was written`,
    );
    this.jobId = jobId;
  }
}

export interface RunWritesOptions {
  readonly jobId: number;
  readonly workerId: string;
  /** The run's own, for its transactions. */
  readonly connection: RunConnection;
  /** For short statements; default: the run's own. */
  readonly short?: Kysely<Database>;
  readonly clock: Pick<Clock, 'now'>;
  /** Called when the run has asked for another one. */
  readonly onRequest: () => void;
}

export class RunWrites {
  readonly #options: RunWritesOptions;
  #open = 0;

  constructor(options: RunWritesOptions) {
    this.#options = options;
  }

  async transaction<T>(work: (tx: Transaction<Database>) => Promise<T>): Promise<T> {
    this.#open++;
    try {
      return await transact(this.#options.connection.open(), async (tx) => {
        // A worker that is stopped in the middle must not hold its job for ever.
        await limitIdleTransaction(tx);
        await this.#hold(tx);
        return await work(tx);
      });
    } finally {
      this.#open--;
    }
  }

  async checkpoint(value: unknown, tx?: QueryExecutorProvider): Promise<void> {
    const { jobId, workerId } = this.#options;
    const checkpoint = jsonText('a checkpoint', value);
    this.#refuseDeadlock(tx, 'ar.checkpoint(value, tx)');
    const db = new QueryCreator<Database>({ executor: (tx ?? this.#short()).getExecutor() });
    const updated = await db
      .updateTable('jobs')
      .set({ checkpoint })
      .where('id', '=', jobId)
      .where('worker_id', '=', workerId)
      .where('status', '=', 'running')
      .executeTakeFirst();
    if (updated.numUpdatedRows === 0n) throw new RunLostError(jobId);
  }

  async requestRun(
    rule: number | string,
    args: unknown,
    { tx, ...options }: RunRequestOptions = {},
  ): Promise<number> {
    this.#refuseDeadlock(tx, 'ar.requestRun(rule, args, { tx })');
    // Whatever tables it is typed with, it is a Kysely on the site's database.
    if (tx !== undefined) return await this.#request(tx as Kysely<Database>, rule, { ...options, args });
    const request = await transact(this.#short(), async (own) => {
      await this.#hold(own);
      return await this.#request(own, rule, { ...options, args });
    });
    this.#options.onRequest();
    return request;
  }

  #short(): Kysely<Database> {
    return this.#options.short ?? this.#options.connection.open();
  }

  async #request(
    db: Kysely<Database>,
    rule: number | string,
    options: RunRequestOptions & { args: unknown },
  ): Promise<number> {
    const { jobId, clock } = this.#options;
    return await addRequest({ db, clock }, rule, 'run', `job ${jobId}`, options);
  }

  /**
   * Proves that the run is still this worker's, and sees to it that it stays so until the transaction ends.
   */
  async #hold(tx: Kysely<Database>): Promise<void> {
    const { jobId, workerId } = this.#options;
    const mine = await tx
      .selectFrom('jobs')
      .select('id')
      .where('id', '=', jobId)
      .where('worker_id', '=', workerId)
      .where('status', '=', 'running')
      .forNoKeyUpdate()
      .executeTakeFirst();
    if (mine === undefined) throw new RunLostError(jobId);
  }

  /** Without this, the run would wait for the lock that its own transaction holds. */
  #refuseDeadlock(tx: QueryExecutorProvider | undefined, instead: string): void {
    if (tx !== undefined || this.#open === 0) return;
    throw new UsageError(
      `a transaction of this run is open, and would be waited for: hand it on, as in ${instead}`,
    );
  }
}
