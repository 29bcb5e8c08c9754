// One check of `linod doctor`: a pure function over facts that were gathered before.

import { LinodError } from '../base/errors.js';
import type { Facts } from './facts.js';

export interface Check {
  /** Stable: monitors and people name it. */
  readonly id: string;
  /** What it looks at, in a few words. */
  readonly about: string;
  /** What to do about what it finds. */
  readonly advice: string;
  /** @returns what is wrong, each a sentence; empty when nothing is */
  readonly run: (facts: Facts) => readonly string[];
}

/** `not run`: a fact could not be gathered, for example because there is no Redis. `failed`: the check threw. */
export interface CheckResult {
  readonly id: string;
  readonly status: 'ok' | 'found' | 'not run' | 'failed';
  /** What is wrong, or why the check did not run. */
  readonly found: readonly string[];
  readonly advice: string | null;
}

/** A fact could not be gathered, so that a check cannot run. */
export class NotRunError extends LinodError {
  constructor(why: string) {
    super('LINOD_ERR_CHECK_NOT_RUN', why);
  }
}

/** The most findings of one check that are listed. */
const maxListed = 10;

/** Runs a check. A check that throws is itself a finding. */
export function runCheck({ id, advice, run }: Check, facts: Facts): CheckResult {
  try {
    const found = run(facts);
    if (found.length === 0) return { id, status: 'ok', found, advice: null };
    const rest = found.length > maxListed ? [`and ${found.length - maxListed} more`] : [];
    return { id, status: 'found', found: [...found.slice(0, maxListed), ...rest], advice };
  } catch (error) {
    if (error instanceof NotRunError) return { id, status: 'not run', found: [error.message], advice: null };
    const text = error instanceof Error ? error.message : String(error);
    return {
      id,
      status: 'failed',
      found: [`the check failed: ${text}`],
      advice: 'report this as a bug of linod',
    };
  }
}
