// Updates the planned reminders of a source.

import type { BaseRequest } from '../../src/index.js';
import { shouldContinue } from '../shared/pause.js';
import { type SiteDatabase, siteDatabase } from '../store/open.js';
import type { ProcedureTables } from '../store/tables.js';
import type { EventSource } from './event-sources.js';
import { reminderKey, type Wanted, type WantedReminder } from './wanted-reminders.js';

/** Events in one transaction. */
const batchSize = 500;
/** Rows of one statement: SQLite allows 32,766 values. */
const rowsAtOnce = 1000;

/** The changes for one event. */
interface Change {
  readonly drop: number[];
  readonly reword: Array<{ readonly id: number; readonly subject: string; readonly body: string }>;
  readonly add: WantedReminder[];
}

/**
 * Adds wanted reminders and drops others. Sent ones stay, so that they are not sent again. All reminders of
 * an event change in one transaction, so that there are never both or none.
 *
 * @param from events that started before are ignored
 */
export async function planReminders(
  ar: BaseRequest,
  source: EventSource,
  wanted: Wanted,
  from: Date,
): Promise<{ readonly added: number; readonly dropped: number }> {
  const changes = [...(await changesOf(ar, source, wanted, from)).values()];
  let added = 0;
  let dropped = 0;
  for (const some of chunks(changes, batchSize)) {
    if (!(await shouldContinue(ar.signal))) break;
    const count = await ar.transaction(async (plain) => {
      const tx = plain.withTables<ProcedureTables>();
      for (const ids of chunks(
        some.flatMap(({ drop }) => drop),
        rowsAtOnce,
      ))
        await tx.deleteFrom('event_reminders').where('id', 'in', ids).where('sent_at', 'is', null).execute();
      for (const { id, ...text } of some.flatMap(({ reword }) => reword))
        await tx.updateTable('event_reminders').set(text).where('id', '=', id).execute();
      return await insert(
        tx,
        some.flatMap(({ add }) => add),
      );
    });
    added += count;
    dropped += some.reduce((sum, { drop }) => sum + drop.length, 0);
    ar.progress(added, undefined, `${source.name}: reminders planned`);
  }
  return { added, dropped };
}

async function changesOf(
  ar: BaseRequest,
  source: EventSource,
  { reminders, unclear }: Wanted,
  from: Date,
): Promise<Map<string, Change>> {
  const known = await (await siteDatabase(ar))
    .selectFrom('event_reminders')
    .selectAll()
    .where('source', '=', source.name)
    .where('starts_at', '>=', from.getTime())
    .execute();
  const changes = new Map<string, Change>();
  const changeOf = (event: string): Change => {
    const change = changes.get(event) ?? { drop: [], reword: [], add: [] };
    changes.set(event, change);
    return change;
  };
  const fresh = new Map(reminders.map((reminder) => [reminderKey(reminder), reminder]));
  for (const row of known) {
    const key = reminderKey(row);
    const reminder = fresh.get(key);
    fresh.delete(key);
    if (row.sent_at !== null) continue;
    if (reminder === undefined) {
      // The reminders of an invalid event stay.
      if (!unclear.has(row.event)) changeOf(row.event).drop.push(row.id);
      continue;
    }
    const { subject, body } = reminder;
    if (row.subject !== subject || row.body !== body)
      changeOf(row.event).reword.push({ id: row.id, subject, body });
  }
  for (const reminder of fresh.values()) changeOf(reminder.event).add.push(reminder);
  return changes;
}

/** @returns how many; another run may plan the same ones at the same time */
async function insert(tx: SiteDatabase, reminders: readonly WantedReminder[]): Promise<number> {
  let added = 0;
  for (const some of chunks(reminders, rowsAtOnce)) {
    const { numInsertedOrUpdatedRows } = await tx
      .insertInto('event_reminders')
      .values(some)
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirstOrThrow();
    added += Number(numInsertedOrUpdatedRows ?? 0n);
  }
  return added;
}

function* chunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let i = 0; i < items.length; i += size) yield items.slice(i, i + size);
}
