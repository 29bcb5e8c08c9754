// Reminders that are planned become messages when their time has come.

import { type BaseRequest, sql, transact } from '../../src/index.js';
import { deleteBefore } from '../delete-old.js';
import { notify } from '../messages/messages.js';
import { mayGoOn } from '../pause.js';
import type { SiteDatabase } from '../store/open.js';
import type { EventReminderRow } from '../store/tables.js';

const batchSize = 500;

/**
 * So often it is looked for reminders. One whose event starts before the next look goes out now, a few minutes early,
 * since afterwards it would be of no use.
 */
export const lookEverySeconds = 300;

/** Long enough to see afterwards who was reminded when. */
const keepPastMs = 7 * 86_400_000;

/**
 * Turns reminders whose time has come into messages. Message and mark are one step: neither is there without the
 * other, whatever happens in between.
 *
 * Of several that are due of one event for one user, as after a night without a worker, one becomes a message; of
 * events that have started meanwhile none does.
 *
 * @param sources reminders of others stay: nobody can tell any more whether their events still take place
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
  while (more && (await mayGoOn(ar.signal))) {
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
  const nextLook = now.getTime() + lookEverySeconds * 1000;
  // The first condition says nothing new, but is one that the index serves.
  return sql<boolean>`remind_at < ${nextLook} and (remind_at <= ${now.getTime()} or starts_at < ${nextLook})`;
}

/** Deletes reminders of events that started a while ago. */
export async function clearPastReminders(ar: BaseRequest): Promise<void> {
  await deleteBefore(ar, 'event_reminders', 'starts_at', ar.now().getTime() - keepPastMs);
}

/** @returns false when another run, or another reminder of the same event, came before */
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
