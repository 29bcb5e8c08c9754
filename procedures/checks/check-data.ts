// The work of checkdata, for the nightly run and for the command.

import type { BaseRequest } from '../../src/index.js';
import { shouldContinue } from '../shared/pause.js';
import { siteDatabase } from '../store/open.js';
import { CheckerRun } from './checker-run.js';
import { checkers } from './checkers.js';
import { beginPass } from './pass.js';
import { clearClosedProblems, closeProblemsOfOthers } from './problems.js';

export interface CheckOptions {
  /** Only checkers with these names; null for all. */
  readonly checkers: readonly string[] | null;
  /** Whether fixable problems are fixed. */
  readonly fix: boolean;
}

/** Checks the data. @throws UsageError (`LINOD_ERR_USAGE`) for an unknown checker */
export async function checkData(ar: BaseRequest, options: CheckOptions): Promise<void> {
  const db = await siteDatabase(ar);
  if (checkers.size === 0) ar.debug('no checker is registered: there is nothing to check');
  for (const checker of checkers.named(options.checkers)) {
    if (!(await shouldContinue(ar.signal))) return;
    await new CheckerRun(ar, checker, await beginPass(ar, db, checker.name), options).run();
  }
  await closeProblemsOfOthers(ar, 'checkers', checkers.names);
  await clearClosedProblems(ar);
}
