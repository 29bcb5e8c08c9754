// The database connection of a run.

import type { Kysely } from 'kysely';
import { LinodError } from '../base/errors.js';
import type { Database } from '../store/schema.js';

/**
 * The database connection of a run, opened when it is first asked for. It is the run's own: what a procedure
 * does with it must not stop the worker's.
 */
export class RunConnection {
  readonly #connect: () => Kysely<Database>;
  #db: Kysely<Database> | null = null;
  #closed = false;

  constructor(connect: () => Kysely<Database>) {
    this.#connect = connect;
  }

  /** @throws LinodError (`LINOD_ERR_RUN_OVER`) when the run has ended or was given up */
  open(): Kysely<Database> {
    if (this.#closed)
      throw new LinodError('LINOD_ERR_RUN_OVER', 'the run is over, and its database connection closed');
    this.#db ??= this.#connect();
    return this.#db;
  }

  /** Ends the connection and what is left open on it. @returns undefined when there is nothing to wait for */
  close(): Promise<void> | undefined {
    this.#closed = true;
    return this.#db?.destroy();
  }
}
