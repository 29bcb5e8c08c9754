// `linod doctor`: all checks, over facts that are gathered once.

import { type Check, type CheckResult, runCheck } from './check.js';
import { programChecks } from './checks/program.js';
import { storeChecks } from './checks/store.js';
import { workChecks } from './checks/work.js';
import type { Facts } from './facts.js';

/** In the order in which they are shown. */
export const allChecks: readonly Check[] = [...programChecks, ...storeChecks, ...workChecks];

/** Runs all checks. Never throws. */
export function examineSite(facts: Facts): CheckResult[] {
  return allChecks.map((check) => runCheck(check, facts));
}
