// Checks the application's data with the checkers that it registered.

import { scheduleDaily } from '../src/index.js';
import { CheckerRun } from './checks/checker-run.js';
import { checkers } from './checks/checkers.js';
import { tidyProblems } from './checks/problems.js';
import { mayGoOn } from './pause.js';
import { siteDatabase } from './store/open.js';

export const checkdata = scheduleDaily({ onFailure: 'continue' }, async function checkdata(ar) {
  const db = await siteDatabase(ar);
  if (checkers.size === 0) ar.debug('no checker is registered: there is nothing to check');
  for (const checker of checkers) {
    if (!(await mayGoOn(ar.signal))) break;
    await new CheckerRun(ar, db, checker).run();
  }
  await tidyProblems(
    ar,
    db,
    Array.from(checkers, (checker) => checker.name),
  );
});
