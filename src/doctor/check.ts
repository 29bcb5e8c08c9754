// One check of `linod doctor`: a pure function over facts that were gathered before.

import type { Facts } from './facts.js';
import { messageOf, NotRunError } from './part.js';

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
    const text = messageOf(error);
    if (error instanceof NotRunError) return { id, status: 'not run', found: [text], advice: null };
    const found = [`the check failed: ${text}`];
    return { id, status: 'failed', found, advice: 'report this as a bug of linod' };
  }
}
