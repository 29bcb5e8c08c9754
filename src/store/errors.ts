// What can go wrong with the database.

import { LinodError } from '../errors.js';

/** The database cannot be opened. */
export class StoreUnavailableError extends LinodError {
  constructor(database: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super('LINOD_ERR_STORE_UNAVAILABLE', `cannot open the database ${database}: ${why}`, { cause });
  }
}
