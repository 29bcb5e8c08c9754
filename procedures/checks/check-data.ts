// What checkdata does, for the nightly run and for the command.

import { type BaseRequest, UsageError } from '../../src/index.js';
import { mayGoOn } from '../pause.js';
import { siteDatabase } from '../store/open.js';
import { CheckerPart } from './checker-part.js';
import { type AnyChecker, checkers } from './checkers.js';
import { beginPass } from './pass.js';
import { tidyProblems } from './problems.js';
import { Scan, sharedScans } from './scan.js';

export interface CheckOptions {
  /** Only checkers of these names; null for all. */
  readonly checkers: readonly string[] | null;
  /** Whether what can be fixed is. */
  readonly fix: boolean;
}

/** Checks the data. @throws UsageError (`LINOD_ERR_USAGE`) for the name of a checker that nobody registered */
export async function checkData(ar: BaseRequest, options: CheckOptions): Promise<void> {
  const db = await siteDatabase(ar);
  const wanted = wantedCheckers(options);
  if (checkers.size === 0) ar.debug('no checker is registered: there is nothing to check');
  const parts: CheckerPart[] = [];
  for (const checker of wanted) {
    parts.push(new CheckerPart(ar, checker, await beginPass(ar, db, checker.name), options));
  }
  for (const together of sharedScans(parts)) {
    if (!(await mayGoOn(ar.signal))) return;
    await new Scan(ar, together).run();
  }
  const names = Array.from(checkers, (checker) => checker.name);
  await tidyProblems(ar, db, names);
}

function wantedCheckers({ checkers: names }: CheckOptions): AnyChecker[] {
  if (names === null) return [...checkers];
  for (const name of names) {
    if (checkers.has(name)) continue;
    const known = Array.from(checkers, (checker) => checker.name).join(', ') || 'none';
    throw new UsageError(`there is no checker ${JSON.stringify(name)}; there are ${known}`);
  }
  return Array.from(checkers).filter((checker) => names.includes(checker.name));
}
