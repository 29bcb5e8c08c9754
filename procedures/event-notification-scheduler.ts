// Reminds people of events ahead of their start, as messages.

import { type BaseRequest, scheduleOften } from '../src/index.js';
import { counted } from './counted.js';
import { type EventSource, eventSources } from './events/event-sources.js';
import { clearPastReminders, planReminders, sendReminders } from './events/reminders.js';
import { wantedReminders } from './events/wanted-reminders.js';
import { headline } from './failures.js';
import { mayGoOn } from './pause.js';
import { type SiteDatabase, siteDatabase } from './store/open.js';

const defaultLookAheadDays = 31;
const dayMs = 86_400_000;

/** Of an event source that returns nonsense, so many events are told; the rest is counted. */
const toldNonsense = 3;

export const eventNotificationScheduler = scheduleOften(
  { every: 300, onFailure: 'continue' },
  async function event_notification_scheduler(ar) {
    const db = await siteDatabase(ar);
    if (eventSources.size === 0) ar.debug('no event source is registered: there is nothing to remind of');
    for (const source of eventSources) {
      if (!(await mayGoOn(ar.signal))) return;
      await plan(ar, db, source);
    }
    const names = Array.from(eventSources, (source) => source.name);
    const sent = await sendReminders(ar, db, names);
    if (sent > 0) ar.info(`${counted(sent, 'reminder')} sent`);
    await clearPastReminders(ar, db);
  },
);

/** What a source throws leaves its reminders as they were planned before. */
async function plan(ar: BaseRequest, db: SiteDatabase, source: EventSource): Promise<void> {
  const from = ar.now();
  const to = new Date(from.getTime() + (source.lookAheadDays ?? defaultLookAheadDays) * dayMs);
  let wanted: ReturnType<typeof wantedReminders>;
  try {
    const returned: unknown = await source.upcoming(from, to, ar);
    wanted = wantedReminders(source, returned, from, ar.site.settings.timezone);
  } catch (error) {
    ar.warning(
      `${source.name}: its events could not be read, reminders stay as they are: ${headline(error)}`,
      {
        error,
      },
    );
    return;
  }
  // What a source gave up when the run was to end is not all that it knows.
  if (ar.signal.aborted) return;
  for (const text of wanted.nonsense.slice(0, toldNonsense)) ar.warning(`${source.name}: ${text}`);
  const untold = wanted.nonsense.length - toldNonsense;
  if (untold > 0) ar.warning(`${source.name}: the same of ${counted(untold, 'more event', 'more events')}`);
  const { added, dropped } = await planReminders(ar, db, source.name, wanted);
  const text = `${source.name}: ${counted(added, 'reminder')} planned, ${dropped} dropped`;
  if (added + dropped > 0) ar.info(text);
  else ar.debug(text);
}
