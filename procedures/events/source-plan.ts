// Making the planned reminders of a source those that it wants, batch by batch.

import type { BaseRequest } from '../../src/index.js';
import { mayGoOn } from '../pause.js';
import type { SiteDatabase } from '../store/open.js';
import type { EventReminderRow, ProcedureTables } from '../store/tables.js';
import type { EventSource } from './event-sources.js';
import type { EventBatch } from './read-source.js';
import type { SourceProblem } from './source-problems.js';
import { reminderKey, type WantedReminder, wantedReminders } from './wanted-reminders.js';

const batchSize = 500;
/** Rows of one statement that inserts reminders: SQLite takes 32,766 values. */
const insertSize = 1000;

/**
 * What a source wants. What was sent stays on record, so that it is not sent again; neither is one that is planned
 * already added again. The reminders of one event move in one transaction, so that no moment has both or none.
 */
export class SourcePlan {
  readonly #ar: BaseRequest;
  readonly #source: EventSource;
  readonly #from: Date;
  /** The keys of all that are wanted: a run knows at its end what is wanted no more. */
  readonly #wanted = new Set<string>();
  /** Events that are there but make no sense: what is known of them from before still counts. */
  readonly #unclear = new Set<string>();
  readonly problems: SourceProblem[] = [];
  /** What the source threw. */
  cause: unknown;
  added = 0;
  /** Of events that were cancelled or moved, or of people who need not be reminded any more. */
  dropped = 0;

  /** @param from events that started before are over */
  constructor(ar: BaseRequest, source: EventSource, from: Date) {
    this.#ar = ar;
    this.#source = source;
    this.#from = from;
  }

  /** Plans some events of the source. */
  async add(batch: EventBatch): Promise<void> {
    const { timezone } = this.#ar.site.settings;
    const { reminders, events, problems, unclear } = wantedReminders(
      this.#source,
      batch,
      this.#from,
      timezone,
    );
    this.problems.push(...problems);
    for (const event of unclear) this.#unclear.add(event);
    const keys = reminders.map(reminderKey);
    for (const key of keys) this.#wanted.add(key);
    const { added, dropped } = await this.#ar.transaction(async (plain) => {
      const tx = plain.withTables<ProcedureTables>();
      const known = await this.#known(tx, events);
      const dropped = await this.#drop(tx, known);
      const knownByKey = new Map(known.map((row) => [reminderKey(row), row]));
      const fresh = reminders.filter((reminder) => !knownByKey.has(reminderKey(reminder)));
      for (const reminder of reminders)
        await this.#reword(tx, reminder, knownByKey.get(reminderKey(reminder)));
      return { added: await this.#insert(tx, fresh), dropped };
    });
    this.added += added;
    this.dropped += dropped;
  }

  /** Drops what the source told no more. Only for a source that has told everything. */
  async end(): Promise<void> {
    let last = 0;
    while (await mayGoOn(this.#ar.signal)) {
      const { rows, dropped } = await this.#ar.transaction(async (plain) => {
        const tx = plain.withTables<ProcedureTables>();
        const rows = await tx
          .selectFrom('event_reminders')
          .selectAll()
          .where('source', '=', this.#source.name)
          .where('sent_at', 'is', null)
          .where('starts_at', '>=', this.#from.getTime())
          .where('id', '>', last)
          .orderBy('id')
          .limit(batchSize)
          .execute();
        return { rows, dropped: await this.#drop(tx, rows) };
      });
      this.dropped += dropped;
      last = rows.at(-1)?.id ?? last;
      if (rows.length < batchSize) return;
    }
  }

  async #known(tx: SiteDatabase, events: readonly string[]): Promise<EventReminderRow[]> {
    if (events.length === 0) return [];
    return await tx
      .selectFrom('event_reminders')
      .selectAll()
      .where('source', '=', this.#source.name)
      .where('event', 'in', events)
      .where('starts_at', '>=', this.#from.getTime())
      .execute();
  }

  async #drop(tx: SiteDatabase, rows: readonly EventReminderRow[]): Promise<number> {
    const ids = rows
      .filter(
        (row) => row.sent_at === null && !this.#wanted.has(reminderKey(row)) && !this.#unclear.has(row.event),
      )
      .map((row) => row.id);
    for (let i = 0; i < ids.length; i += batchSize) {
      await tx
        .deleteFrom('event_reminders')
        .where('id', 'in', ids.slice(i, i + batchSize))
        .execute();
    }
    return ids.length;
  }

  async #reword(
    tx: SiteDatabase,
    reminder: WantedReminder,
    row: EventReminderRow | undefined,
  ): Promise<void> {
    const { subject, body } = reminder;
    if (row === undefined || row.sent_at !== null || (row.subject === subject && row.body === body)) return;
    await tx.updateTable('event_reminders').set({ subject, body }).where('id', '=', row.id).execute();
  }

  async #insert(tx: SiteDatabase, reminders: readonly WantedReminder[]): Promise<number> {
    let added = 0;
    for (let i = 0; i < reminders.length; i += insertSize) {
      // Another run may plan the same at the same time.
      const { numInsertedOrUpdatedRows } = await tx
        .insertInto('event_reminders')
        .values(reminders.slice(i, i + insertSize))
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirstOrThrow();
      added += Number(numInsertedOrUpdatedRows ?? 0n);
    }
    return added;
  }
}
