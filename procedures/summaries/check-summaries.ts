// The work of checksummaries, for the nightly run and for the command.

import { type BaseRequest, UsageError } from '../../src/index.js';
import { counted } from '../shared/counted.js';
import { shouldContinue } from '../shared/pause.js';
import { type SiteDatabase, siteDatabase } from '../store/open.js';
import { type AnySummary, inOrder, summaries } from './summaries.js';
import { SummaryRun } from './summary-run.js';

export interface SummaryOptions {
  /** Only summaries with these names; null for all. */
  readonly summaries: readonly string[] | null;
  /** Whether all keys are recomputed, not only marked ones. */
  readonly all: boolean;
}

/**
 * Recomputes outdated keys.
 *
 * @throws UsageError (`LINOD_ERR_USAGE`) for an unknown summary, or one that cannot list all its keys
 */
export async function checkSummaries(ar: BaseRequest, options: SummaryOptions): Promise<void> {
  const db = await siteDatabase(ar);
  if (summaries.size === 0) ar.debug('no summary is registered: there is nothing to compute');
  const wanted = inOrder(summaries.named(options.summaries));
  const whole = wholeOnes(wanted, options).map(({ name }) => ({
    summary: name,
    asked_at: ar.now().getTime(),
  }));
  // Stored first, so that the next run continues if this one is killed while it marks the keys.
  if (whole.length > 0) {
    const asked = db.insertInto('whole_summaries').values(whole);
    await asked.onConflict((conflict) => conflict.column('summary').doNothing()).execute();
  }
  for (const summary of wanted) {
    if (!(await shouldContinue(ar.signal))) return;
    await new SummaryRun(ar, db, summary).run();
  }
  await warnAboutUnknown(ar, db);
}

function wholeOnes(wanted: readonly AnySummary[], { summaries: names, all }: SummaryOptions): AnySummary[] {
  if (!all) return wanted.filter(({ nightly }) => nightly === 'all');
  const without = wanted.find(({ keys }) => keys === undefined);
  if (names !== null && without !== undefined) {
    throw new UsageError(
      `summary ${JSON.stringify(without.name)} cannot be recomputed completely: it has no function keys`,
    );
  }
  return wanted.filter(({ keys }) => keys !== undefined);
}

/** Warns of marks with unknown, perhaps mistyped names, which would wait for ever. */
async function warnAboutUnknown(ar: BaseRequest, db: SiteDatabase): Promise<void> {
  const marked = await db
    .selectFrom('dirty_summaries')
    .select((eb) => ['summary', eb.fn.countAll<number>().as('count')])
    .groupBy('summary')
    .execute();
  for (const { summary, count } of marked) {
    if (summaries.has(summary)) continue;
    ar.warning(`${counted(count, 'key')} wait for the unregistered summary ${JSON.stringify(summary)}`);
  }
}

/** The marked keys of a summary. */
export interface WaitingKeys {
  readonly summary: string;
  readonly keys: number;
  /** How many of them failed. */
  readonly failed: number;
  /** The last error of one of these. */
  readonly lastError: string | null;
}

/**
 * Whether some summary is to be recomputed completely, but its keys could not be read. @param names only
 * these summaries; null for all
 */
export async function areKeysUnread(ar: BaseRequest, names: readonly string[] | null): Promise<boolean> {
  const db = await siteDatabase(ar);
  const rows = await db.selectFrom('whole_summaries').select('summary').execute();
  return rows.some(({ summary }) => summaries.has(summary) && (names?.includes(summary) ?? true));
}

/** @param names only of these summaries; null for all */
export async function waitingKeys(ar: BaseRequest, names: readonly string[] | null): Promise<WaitingKeys[]> {
  const db = await siteDatabase(ar);
  return await db
    .selectFrom('dirty_summaries')
    .select((eb) => [
      'summary',
      eb.fn.countAll<number>().as('keys'),
      eb.fn.count<number>('last_error').as('failed'),
      eb.fn.max('last_error').as('lastError'),
    ])
    .$if(names !== null, (query) => query.where('summary', 'in', names ?? []))
    .groupBy('summary')
    .orderBy('summary')
    .execute();
}
