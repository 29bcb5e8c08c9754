// Reminds people of events ahead of their start, as messages.

import { randomInt } from 'node:crypto';
import { type BaseRequest, scheduleOften } from '../src/index.js';
import {
  closeProblemsOfOthers,
  closeRest,
  type FoundProblem,
  keepProblems,
  sourceChecker,
} from './checks/problems.js';
import { counted } from './counted.js';
import { type EventSource, eventSources } from './events/event-sources.js';
import { planReminders } from './events/plan-reminders.js';
import { EventSourceError, readEvents } from './events/read-source.js';
import { clearPastReminders, lookEverySeconds, sendReminders } from './events/reminders.js';
import { wantedReminders } from './events/wanted-reminders.js';
import { mayGoOn } from './pause.js';
import { siteDatabase } from './store/open.js';
import type { ProcedureTables } from './store/tables.js';

const defaultLookAheadDays = 31;
const dayMs = 86_400_000;
/** Of an event source that returns nonsense, so many events are told in the log. */
const toldProblems = 3;
/** And so many are kept. */
const keptProblems = 100;

export const eventNotificationScheduler = scheduleOften(
  { every: lookEverySeconds, onFailure: 'continue' },
  async function event_notification_scheduler(ar) {
    const db = await siteDatabase(ar);
    if (eventSources.size === 0) ar.debug('no event source is registered: there is nothing to remind of');
    for (const source of eventSources) {
      if (!(await mayGoOn(ar.signal))) return;
      await plan(ar, source);
    }
    const sent = await sendReminders(ar, db, eventSources.names);
    if (sent > 0) ar.info(`${counted(sent, 'reminder')} sent`);
    await closeProblemsOfOthers(ar, 'event sources', eventSources.names);
    await clearPastReminders(ar);
  },
);

/** What a source throws is a problem of it, and leaves its reminders as they were planned before. */
async function plan(ar: BaseRequest, source: EventSource): Promise<void> {
  const { name, lookAheadDays = defaultLookAheadDays } = source;
  const from = ar.now();
  const to = new Date(from.getTime() + lookAheadDays * dayMs);
  try {
    const events = await readEvents(ar, source, from, to);
    const wanted = wantedReminders(source, events, from, ar.site.settings.timezone);
    const { added, dropped } = await planReminders(ar, source, wanted, from);
    await tell(ar, source, wanted.problems);
    const text = `${name}: ${counted(added, 'reminder')} planned, ${dropped} dropped`;
    if (added + dropped > 0) ar.info(text);
    else ar.debug(text);
  } catch (error) {
    if (!(error instanceof EventSourceError)) throw error;
    if (ar.signal.aborted) return;
    const message = `its events could not be read, reminders stay as they are: ${error.message}`;
    await tell(ar, source, [{ owner: 'the source', message }], error.cause);
  }
}

/** What stays wrong for hours is told once, and stands in the table until it is mended. */
async function tell(
  ar: BaseRequest,
  { name }: EventSource,
  problems: readonly FoundProblem[],
  error?: unknown,
): Promise<void> {
  // Any number tells what this run found from what those before did.
  const from = { checker: sourceChecker(name), pass: randomInt(2 ** 47), now: ar.now().getTime() };
  const news = await ar.transaction(async (plain) => {
    const tx = plain.withTables<ProcedureTables>();
    const news = await keepProblems(tx, from, problems.slice(0, keptProblems));
    await closeRest(tx, from);
    return news;
  });
  for (const { owner, message } of news.slice(0, toldProblems)) {
    const text = owner === 'the source' ? message : `${owner}: ${message}`;
    ar.warning(`${name}: ${text}`, error === undefined ? undefined : { error });
  }
  const untold = news.length - toldProblems;
  if (untold > 0) ar.warning(`${name}: so are ${counted(untold, 'more event')}`);
}
