// What checksummaries does, for the nightly run and for the command.

import { type BaseRequest, UsageError } from '../../src/index.js';
import { counted } from '../counted.js';
import { mayGoOn } from '../pause.js';
import { type SiteDatabase, siteDatabase } from '../store/open.js';
import { type AnySummary, inOrder, summaries } from './summaries.js';
import { SummaryRun } from './summary-run.js';
import { askForWhole } from './whole.js';

export interface SummaryOptions {
  /** Only summaries of these names; null for all. */
  readonly summaries: readonly string[] | null;
  /** Whether all keys are computed, not only those that were marked. */
  readonly all: boolean;
}

/**
 * Computes what is outdated.
 *
 * @throws UsageError (`LINOD_ERR_USAGE`) for the name of a summary that nobody registered, or one that cannot tell all its keys
 */
export async function checkSummaries(ar: BaseRequest, options: SummaryOptions): Promise<void> {
  const db = await siteDatabase(ar);
  if (summaries.size === 0) ar.debug('no summary is registered: there is nothing to compute');
  const wanted = inOrder(summaries.named(options.summaries));
  await askForWhole(ar, db, wholeOnes(wanted, options));
  for (const summary of wanted) {
    if (!(await mayGoOn(ar.signal))) return;
    await new SummaryRun(ar, db, summary).run();
  }
  await tellUnknown(ar, db);
}

function wholeOnes(wanted: readonly AnySummary[], { summaries: names, all }: SummaryOptions): AnySummary[] {
  if (!all) return wanted.filter(({ nightly }) => nightly === 'all');
  const without = wanted.find(({ keys }) => keys === undefined);
  if (names !== null && without !== undefined) {
    throw new UsageError(
      `summary ${JSON.stringify(without.name)} cannot be computed whole: it has no function keys`,
    );
  }
  return wanted.filter(({ keys }) => keys !== undefined);
}

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
