// Failures of an application's functions: told, counted, and at some point enough.

import { LinodError } from '../src/index.js';

/** So many failures of one function in one run, and the rest of its work is left for the next run. */
export const maxFailures = 100;

/** The first line of what was thrown, for messages and tables. */
export function headline(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.split('\n', 1)[0]?.slice(0, 1000) ?? '';
}

/** Whether it is the database that failed, or the run that was given up: no fault of an application's function. */
export function isOfDatabase(error: unknown): boolean {
  return (
    error instanceof LinodError &&
    (error.code === 'LINOD_ERR_STORE_UNAVAILABLE' || error.code === 'LINOD_ERR_RUN_LOST')
  );
}
