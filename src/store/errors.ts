// What can go wrong with the database.

import { LinodError } from '../errors.js';

/** The database cannot be opened, or went away while it was used. */
export class StoreUnavailableError extends LinodError {
  /** What it is called in messages: a file's path, or `shop at db.example.org:5432 as ann`. */
  readonly database: string;
  /** Whether that may pass by itself, as when a server is started, so that trying again makes sense. */
  readonly passes: boolean;

  /**
   * @param cause what was thrown; its message says why
   * @param happened what could not be done, before the name of the database
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
