// Failures of the application's functions: logged, counted and limited.

import { LinodError } from '../../src/index.js';

/** After this many failures of a function, the rest of the work is left for the next run. */
export const maxFailures = 100;

/** The first line of an error, for messages and tables. */
export function headline(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.split('\n', 1)[0]?.slice(0, 1000) ?? '';
}

/**
 * Whether the database failed or the run was given up, so that no function of the application is to blame.
 */
export function isOfDatabase(error: unknown): boolean {
  return (
    error instanceof LinodError &&
    (error.code === 'LINOD_ERR_STORE_UNAVAILABLE' || error.code === 'LINOD_ERR_RUN_LOST')
  );
}
