// Reminds people of events ahead of their start, as messages.

import { type BaseRequest, scheduleOften } from '../src/index.js';
import { counted } from './counted.js';
import { type EventSource, eventSources } from './events/event-sources.js';
import { EventSourceError, eventBatches } from './events/read-source.js';
import { clearPastReminders, lookEverySeconds, sendReminders } from './events/reminders.js';
import { SourcePlan } from './events/source-plan.js';
import { closeProblemsOfOthers, keepSourceProblems, wholeSource } from './events/source-problems.js';
import { mayGoOn } from './pause.js';
import { type SiteDatabase, siteDatabase } from './store/open.js';
import type { ProcedureTables } from './store/tables.js';

const defaultLookAheadDays = 31;
const dayMs = 86_400_000;

/** Of an event source that returns nonsense, so many events are told in the log. */
const toldProblems = 3;

export const eventNotificationScheduler = scheduleOften(
  { every: lookEverySeconds, onFailure: 'continue' },
  async function event_notification_scheduler(ar) {
    const db = await siteDatabase(ar);
    if (eventSources.size === 0) ar.debug('no event source is registered: there is nothing to remind of');
    for (const source of eventSources) {
      if (!(await mayGoOn(ar.signal))) return;
      await plan(ar, source);
    }
    const names = Array.from(eventSources, (source) => source.name);
    const sent = await sendReminders(ar, db, names);
    if (sent > 0) ar.info(`${counted(sent, 'reminder')} sent`);
    await tidy(ar, db, names);
  },
);

/** What a source throws is a problem of it, and leaves its reminders as they were planned before. */
async function plan(ar: BaseRequest, source: EventSource): Promise<void> {
  const from = ar.now();
  const to = new Date(from.getTime() + (source.lookAheadDays ?? defaultLookAheadDays) * dayMs);
  const plan = new SourcePlan(ar, source, from);
  try {
    for await (const batch of eventBatches(ar, source, from, to)) {
      await plan.add(batch);
      ar.progress(plan.added, undefined, `${source.name}: reminders planned`);
    }
    // What a source gave up when the run was to end is not all that it knows.
    if (ar.signal.aborted) return;
    await plan.end();
  } catch (error) {
    if (!(error instanceof EventSourceError)) throw error;
    if (ar.signal.aborted) return;
    const message = `its events could not be read, reminders stay as they are: ${error.message}`;
    plan.cause = error.cause;
    plan.problems.unshift({ owner: wholeSource, message });
  }
  await tell(ar, source, plan);
}

/** What stays wrong for hours is told once, and stands in the table until it is mended. */
async function tell(ar: BaseRequest, { name }: EventSource, plan: SourcePlan): Promise<void> {
  const news = await ar.transaction(async (tx) => {
    const now = ar.now().getTime();
    return await keepSourceProblems(tx.withTables<ProcedureTables>(), name, plan.problems, now);
  });
  for (const { owner, message } of news.slice(0, toldProblems)) {
    if (owner === wholeSource) ar.warning(`${name}: ${message}`, { error: plan.cause });
    else ar.warning(`${name}: ${owner}: ${message}`);
  }
  const untold = news.length - toldProblems;
  if (untold > 0) ar.warning(`${name}: so are ${counted(untold, 'more event')}`);
  const text = `${name}: ${counted(plan.added, 'reminder')} planned, ${plan.dropped} dropped`;
  if (plan.added + plan.dropped > 0) ar.info(text);
  else ar.debug(text);
}

async function tidy(ar: BaseRequest, db: SiteDatabase, sources: readonly string[]): Promise<void> {
  await closeProblemsOfOthers(db, sources, ar.now().getTime());
  await clearPastReminders(ar, db);
}
