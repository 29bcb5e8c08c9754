// Facts that may be missing.

import { LinodError } from '../base/errors.js';

export interface Part<T> {
  /** @throws NotRunError with the reason when there are none */
  readonly get: () => T;
  readonly has: boolean;
  /** What went wrong; null when there are facts, or nobody tried. */
  readonly problem: string | null;
}

/** A fact could not be gathered, so that a check cannot run. */
export class NotRunError extends LinodError {
  constructor(why: string) {
    super('LINOD_ERR_CHECK_NOT_RUN', why);
  }
}

/** Facts, or why there are none. @param gather throws NotRunError where there is nothing to gather */
export async function part<T>(gather: () => T | Promise<T>): Promise<Part<T>> {
  try {
    const facts = await gather();
    return { get: () => facts, has: true, problem: null };
  } catch (error) {
    const why = messageOf(error);
    return missing(why, error instanceof NotRunError ? null : why);
  }
}

/** Facts that nobody gathered, or that could not be. */
export function missing(why: string, problem: string | null = null): Part<never> {
  const get = () => {
    throw new NotRunError(why);
  };
  return { get, has: false, problem };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)} MiB`;
}
