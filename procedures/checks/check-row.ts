// A look at one row: what its checker says of it, and what can be repaired at once.

import type { BaseRequest } from '../../src/index.js';
import { headline } from '../failures.js';
import type { AnyChecker, Problem } from './checkers.js';
import type { RowFindings } from './problems.js';
import type { CheckedRow } from './row-batches.js';

export interface RowReport {
  readonly findings: RowFindings;
  readonly fixed: number;
  /** What `check` threw. */
  readonly failure?: unknown;
}

/** Never rejects: what the checker throws is a problem of the row. */
export async function checkRow(
  ar: BaseRequest,
  checker: AnyChecker,
  checked: CheckedRow,
): Promise<RowReport> {
  const { row, owner } = checked;
  try {
    const found = parse(await checker.check(row, ar));
    const open: Problem[] = [];
    for (const problem of found) if (!(await isFixed(ar, checker, checked, problem))) open.push(problem);
    return {
      findings: { owner, problems: open, isUnknown: false },
      fixed: found.length - open.length,
    };
  } catch (failure) {
    const problem = { message: `could not be checked: ${headline(failure)}` };
    return { findings: { owner, problems: [problem], isUnknown: true }, fixed: 0, failure };
  }
}

async function isFixed(
  ar: BaseRequest,
  checker: AnyChecker,
  { row, owner }: CheckedRow,
  problem: Problem,
): Promise<boolean> {
  if (!problem.fixable || checker.fix === undefined) return false;
  try {
    await checker.fix(row, problem, ar);
    ar.info(`${owner}: fixed: ${problem.message}`);
    return true;
  } catch (error) {
    ar.warning(`${owner}: could not be fixed: ${problem.message}: ${headline(error)}`, { error });
    return false;
  }
}

function parse(result: unknown): Problem[] {
  if (result === undefined || result === null) return [];
  if (!Array.isArray(result)) throw new TypeError(`expected a list of problems, got: ${describe(result)}`);
  const problems = new Map<string, Problem>();
  for (const item of result as unknown[]) {
    const problem = typeof item === 'string' ? { message: item } : item;
    if (!isProblem(problem)) throw new TypeError(`expected a text or a problem, got: ${describe(item)}`);
    problems.set(problem.message, problem);
  }
  return [...problems.values()];
}

function isProblem(value: unknown): value is Problem {
  return (
    typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string'
  );
}

function describe(value: unknown): string {
  return typeof value === 'object' && value !== null
    ? `an ${value.constructor?.name ?? 'object'}`
    : String(value);
}
