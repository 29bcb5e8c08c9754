// Sends planned reminders as messages when they are due.

import { type BaseRequest, sql, transact } from '../../src/index.js';
import { notify } from '../messages/messages.js';
import { deleteBefore } from '../shared/delete-old.js';
import { shouldContinue } from '../shared/pause.js';
import type { SiteDatabase } from '../store/open.js';
import type { EventReminderRow } from '../store/tables.js';

const batchSize = 500;

/**
 * The interval of the runs. A reminder whose event starts before the next run is sent now, a few minutes
 * early, because later it would be useless.
 */
export const pollEverySeconds = 300;

/** Long enough to find out later who was reminded when. */
const keepPastMs = 7 * 86_400_000;

/**
 * Turns due reminders into messages. One transaction writes the message and marks the reminder.
 *
 * Of several due reminders of one event for one user, as after a night without a worker, only one is sent.
 * None is sent for events that have started.
 *
 * @param sources reminders of other sources stay unsent: their events may have been cancelled
 * @returns how many messages
 */
export async function sendReminders(
  ar: BaseRequest,
  db: SiteDatabase,
  sources: readonly string[],
): Promise<number> {
  const now = ar.now();
  let sent = 0;
  let more = true;
  while (more && (await shouldContinue(ar.signal))) {
    const due = await db
      .selectFrom('event_reminders')
      .selectAll()
      .where('sent_at', 'is', null)
      .where('source', 'in', sources)
      .where(isDue(now))
      .where('starts_at', '>=', now.getTime())
      .orderBy('remind_at')
      .orderBy('id')
      .limit(batchSize)
      .execute();
    more = due.length === batchSize;
    for (const reminder of due) if (await sendReminder(db, reminder, now)) sent++;
  }
  return sent;
}

function isDue(now: Date) {
  const nextPoll = now.getTime() + pollEverySeconds * 1000;
  // The first condition is redundant, but lets the database use the index.
  return sql<boolean>`remind_at < ${nextPoll} and (remind_at <= ${now.getTime()} or starts_at < ${nextPoll})`;
}

/** Deletes reminders of events that started some time ago. */
export async function clearPastReminders(ar: BaseRequest): Promise<void> {
  await deleteBefore(ar, 'event_reminders', 'starts_at', ar.now().getTime() - keepPastMs);
}

/** @returns false when another run, or another reminder of the same event, was first */
async function sendReminder(db: SiteDatabase, reminder: EventReminderRow, now: Date): Promise<boolean> {
  return await transact(db, async (tx) => {
    const marked = await tx
      .updateTable('event_reminders')
      .set({ sent_at: now.getTime() })
      .where('source', '=', reminder.source)
      .where('event', '=', reminder.event)
      .where('user', '=', reminder.user)
      .where('starts_at', '=', reminder.starts_at)
      .where(isDue(now))
      .where('sent_at', 'is', null)
      .returning('id')
      .execute();
    if (!marked.some((row) => row.id === reminder.id)) return false;
    const { user: to, subject, body, source, event } = reminder;
    await notify(tx, { to, subject, body, kind: 'reminder', owner: `${source} ${event}`, at: now });
    return true;
  });
}
