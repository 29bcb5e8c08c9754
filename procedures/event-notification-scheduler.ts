// Sends reminders of upcoming events as messages.

import { randomInt } from 'node:crypto';
import { type BaseRequest, scheduleOften } from '../src/index.js';
import {
  closeProblemsOfOthers,
  closeRest,
  type FoundProblem,
  keepProblems,
  sourceChecker,
} from './checks/problems.js';
import { type EventSource, eventSources } from './events/event-sources.js';
import { planReminders } from './events/plan-reminders.js';
import { EventSourceError, readEvents } from './events/read-source.js';
import { clearPastReminders, pollEverySeconds, sendReminders } from './events/reminders.js';
import { wantedReminders } from './events/wanted-reminders.js';
import { counted } from './shared/counted.js';
import { shouldContinue } from './shared/pause.js';
import { siteDatabase } from './store/open.js';
import type { ProcedureTables } from './store/tables.js';

const defaultLookAheadDays = 31;
const dayMs = 86_400_000;
/** The maximum number of invalid events of one source in the log. */
const maxLogged = 3;
/** The maximum number of invalid events of one source in the table. */
const maxStored = 100;

export const eventNotificationScheduler = scheduleOften(
  { every: pollEverySeconds, onFailure: 'continue' },
  async function event_notification_scheduler(ar) {
    const db = await siteDatabase(ar);
    if (eventSources.size === 0) ar.debug('no event source is registered: there is nothing to remind of');
    for (const source of eventSources) {
      if (!(await shouldContinue(ar.signal))) return;
      await plan(ar, source);
    }
    const sent = await sendReminders(ar, db, eventSources.names);
    if (sent > 0) ar.info(`${counted(sent, 'reminder')} sent`);
    await closeProblemsOfOthers(ar, 'event sources', eventSources.names);
    await clearPastReminders(ar);
  },
);

/** Plans the reminders of a source. If the source fails, its problem is stored and its reminders stay. */
async function plan(ar: BaseRequest, source: EventSource): Promise<void> {
  const { name, lookAheadDays = defaultLookAheadDays } = source;
  const from = ar.now();
  const to = new Date(from.getTime() + lookAheadDays * dayMs);
  try {
    const events = await readEvents(ar, source, from, to);
    const wanted = wantedReminders(source, events, from, ar.site.settings.timezone);
    const { added, dropped } = await planReminders(ar, source, wanted, from);
    await reportProblems(ar, source, wanted.problems);
    const text = `${name}: ${counted(added, 'reminder')} planned, ${dropped} dropped`;
    if (added + dropped > 0) ar.info(text);
    else ar.debug(text);
  } catch (error) {
    if (!(error instanceof EventSourceError)) throw error;
    if (ar.signal.aborted) return;
    const message = `its events could not be read, reminders stay as they are: ${error.message}`;
    await reportProblems(ar, source, [{ owner: 'the source', message }], error.cause);
  }
}

/** Logs only new problems; the table lists all of them until they are solved. */
async function reportProblems(
  ar: BaseRequest,
  { name }: EventSource,
  problems: readonly FoundProblem[],
  error?: unknown,
): Promise<void> {
  // A random pass number distinguishes this run's problems from those before.
  const from = { checker: sourceChecker(name), pass: randomInt(2 ** 47), now: ar.now().getTime() };
  const added = await ar.transaction(async (plain) => {
    const tx = plain.withTables<ProcedureTables>();
    const added = await keepProblems(tx, from, problems.slice(0, maxStored));
    await closeRest(tx, from);
    return added;
  });
  for (const { owner, message } of added.slice(0, maxLogged)) {
    const text = owner === 'the source' ? message : `${owner}: ${message}`;
    ar.warning(`${name}: ${text}`, error === undefined ? undefined : { error });
  }
  const unlogged = added.length - maxLogged;
  if (unlogged > 0) ar.warning(`${name}: and ${counted(unlogged, 'more invalid event')}`);
}
