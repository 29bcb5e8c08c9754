// Why a pickle was not read.

import { LinodError } from '../../../errors.js';

/** The bytes are no pickle, or one that is broken. */
export class BadPickleError extends LinodError {
  constructor(problem: string) {
    super('LINOD_ERR_BAD_PICKLE', problem);
  }
}

/** The pickle wants something executed: it names a class or a function. Nothing of it was. */
export class UnsafePickleError extends LinodError {
  /** What it asks for, such as `GLOBAL datetime datetime`. */
  readonly wanted: string;

  constructor(wanted: string) {
    super('LINOD_ERR_UNSAFE_PICKLE', `only plain data is read, and this pickle wants ${wanted}`);
    this.wanted = wanted;
  }
}

/** The pickle holds more than is allowed. */
export class PickleLimitError extends LinodError {
  constructor(what: string, limit: number) {
    super('LINOD_ERR_PICKLE_LIMIT', `a pickle may have ${limit} ${what} at most, and this one has more`);
  }
}
