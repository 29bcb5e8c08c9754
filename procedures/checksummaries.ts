// Computes the application's summaries again where their data changed.

import { type BaseRequest, scheduleDaily } from '../src/index.js';
import { counted } from './counted.js';
import { mayGoOn } from './pause.js';
import { type SiteDatabase, siteDatabase } from './store/open.js';
import { summaries } from './summaries/summaries.js';
import { SummaryRun } from './summaries/summary-run.js';

export const checksummaries = scheduleDaily({ onFailure: 'continue' }, async function checksummaries(ar) {
  const db = await siteDatabase(ar);
  if (summaries.size === 0) ar.debug('no summary is registered: there is nothing to compute');
  for (const summary of summaries) {
    if (!(await mayGoOn(ar.signal))) return;
    await new SummaryRun(ar, db, summary).run();
  }
  await tellUnknown(ar, db);
});

/** A mark under a mistyped name would wait for ever, unseen. */
async function tellUnknown(ar: BaseRequest, db: SiteDatabase): Promise<void> {
  const marked = await db
    .selectFrom('dirty_summaries')
    .select((eb) => ['summary', eb.fn.countAll<number>().as('count')])
    .groupBy('summary')
    .execute();
  for (const { summary, count } of marked) {
    if (summaries.has(summary)) continue;
    ar.warning(
      `nobody registered the summary ${JSON.stringify(summary)}, of which ${counted(count, 'key')} wait`,
    );
  }
}
