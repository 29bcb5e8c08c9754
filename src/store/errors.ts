// The errors of the database.

import { LinodError } from '../base/errors.js';

/** The database cannot be opened, or became unavailable while in use. */
export class StoreUnavailableError extends LinodError {
  /** Its name in messages: a file's path, or `shop at db.example.org:5432 as ann`. */
  readonly database: string;
  /** Whether the problem may pass by itself, as when a server restarts, so that a retry makes sense. */
  readonly passes: boolean;

  /**
   * @param cause what was thrown; its message gives the reason
   * @param happened what failed; precedes the name of the database
   */
  constructor(
    database: string,
    cause: unknown,
    { happened = 'cannot open', passes = false }: { happened?: string; passes?: boolean } = {},
  ) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super('LINOD_ERR_STORE_UNAVAILABLE', `${happened} the database ${database}: ${why}`, { cause });
    this.database = database;
    this.passes = passes;
  }
}
