// The table of reminders: planned anew from what a source says, and turned into messages when their time has come.

import { type BaseRequest, transact } from '../../src/index.js';
import { notify } from '../messages/messages.js';
import { mayGoOn } from '../pause.js';
import type { SiteDatabase } from '../store/open.js';
import type { EventReminderRow } from '../store/tables.js';
import { reminderKey, type Wanted } from './wanted-reminders.js';

const batchSize = 500;

/** Long enough to see afterwards who was reminded when. */
const keepPastMs = 7 * 86_400_000;

export interface PlanChanges {
  readonly added: number;
  /** Of events that were cancelled or moved, or of people who need not be reminded any more. */
  readonly dropped: number;
}

/**
 * Makes the planned reminders of a source those that are wanted. What was sent stays on record, so that it is not
 * sent again; neither is one that is planned already added again.
 */
export async function planReminders(
  ar: BaseRequest,
  db: SiteDatabase,
  source: string,
  wanted: Wanted,
): Promise<PlanChanges> {
  const now = ar.now().getTime();
  return await transact(db, async (tx) => {
    const known = await tx
      .selectFrom('event_reminders')
      .selectAll()
      .where('source', '=', source)
      .where('starts_at', '>=', now)
      .execute();
    const keys = new Set(wanted.reminders.map(reminderKey));
    const isDropped = (row: EventReminderRow) =>
      row.sent_at === null && !keys.has(reminderKey(row)) && !wanted.unclear.has(row.event);
    const dropped = known.filter(isDropped).map((row) => row.id);
    for (let i = 0; i < dropped.length; i += batchSize) {
      await tx
        .deleteFrom('event_reminders')
        .where('id', 'in', dropped.slice(i, i + batchSize))
        .execute();
    }
    const knownByKey = new Map(known.map((row) => [reminderKey(row), row]));
    let added = 0;
    for (const reminder of wanted.reminders) {
      const row = knownByKey.get(reminderKey(reminder));
      const { subject, body } = reminder;
      if (row === undefined) {
        // Another run may plan the same at the same time.
        const { numInsertedOrUpdatedRows } = await tx
          .insertInto('event_reminders')
          .values(reminder)
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirstOrThrow();
        added += Number(numInsertedOrUpdatedRows ?? 0n);
      } else if (row.sent_at === null && (row.subject !== subject || row.body !== body)) {
        await tx.updateTable('event_reminders').set({ subject, body }).where('id', '=', row.id).execute();
      }
    }
    return { added, dropped: dropped.length };
  });
}

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
      .where('remind_at', '<=', now.getTime())
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

/** Deletes reminders of events that started a while ago. */
export async function clearPastReminders(ar: BaseRequest, db: SiteDatabase): Promise<void> {
  const startedBefore = ar.now().getTime() - keepPastMs;
  let more = true;
  while (more && (await mayGoOn(ar.signal))) {
    const past = db
      .selectFrom('event_reminders')
      .select('id')
      .where('starts_at', '<', startedBefore)
      .orderBy('starts_at')
      .limit(batchSize);
    const { numDeletedRows } = await db
      .deleteFrom('event_reminders')
      .where('id', 'in', past)
      .executeTakeFirst();
    more = Number(numDeletedRows) === batchSize;
  }
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
      .where('remind_at', '<=', now.getTime())
      .where('sent_at', 'is', null)
      .returning('id')
      .execute();
    if (!marked.some((row) => row.id === reminder.id)) return false;
    const { user: to, subject, body, source, event } = reminder;
    await notify(tx, { to, subject, body, kind: 'reminder', owner: `${source} ${event}`, at: now });
    return true;
  });
}
