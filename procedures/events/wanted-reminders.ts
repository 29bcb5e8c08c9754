// Calculates the wanted reminders from the events of a source, without trusting them.

import { localTime } from '../../src/index.js';
import type { FoundProblem } from '../checks/problems.js';
import { headline } from '../shared/failures.js';
import { problemOf } from '../shared/registry.js';
import type { EventReminderRow } from '../store/tables.js';
import { type EventSource, eventSchema, type UpcomingEvent } from './event-sources.js';

/** A wanted reminder. */
export type WantedReminder = Omit<EventReminderRow, 'id' | 'sent_at'>;

export interface Wanted {
  readonly reminders: readonly WantedReminder[];
  /** The problems of invalid events. */
  readonly problems: readonly FoundProblem[];
  /** The ids of invalid events, as far as they have one. */
  readonly unclear: ReadonlySet<string>;
}

const defaultMinutes: readonly number[] = [60];

/**
 * @param from events that started before are ignored
 * @param timezone for times in texts
 */
export function wantedReminders(
  source: EventSource,
  items: readonly unknown[],
  from: Date,
  timezone: string,
): Wanted {
  const reminders = new Map<string, WantedReminder>();
  const problems: FoundProblem[] = [];
  const unclear = new Set<string>();
  for (const [index, item] of items.entries()) {
    const [event, id] = read(item);
    if (typeof event === 'string') {
      problems.push({ owner: `event ${id ?? `at index ${index}`}`, message: event });
      if (id !== undefined) unclear.add(id);
    } else if (event.cancelled !== true && event.start >= from) {
      for (const reminder of remindersOf(source, event, timezone))
        reminders.set(reminderKey(reminder), reminder);
    }
  }
  return { reminders: [...reminders.values()], problems, unclear };
}

/** Identifies a reminder within its source. */
export function reminderKey(
  reminder: Pick<EventReminderRow, 'event' | 'user' | 'minutes_before' | 'starts_at'>,
): string {
  const { event, user, minutes_before, starts_at } = reminder;
  return JSON.stringify([event, user, minutes_before, starts_at]);
}

function remindersOf(source: EventSource, event: UpcomingEvent, timezone: string): WantedReminder[] {
  const users = typeof event.to === 'string' ? [event.to] : event.to;
  const allMinutes = event.remindMinutesBefore ?? source.remindMinutesBefore ?? defaultMinutes;
  const start = event.start.getTime();
  const time = localTime(event.start, timezone).slice(0, 'yyyy-mm-ddThh:mm'.length).replace('T', ' ');
  return users.flatMap((user) =>
    allMinutes.map((minutes) => ({
      source: source.name,
      event: event.id,
      user,
      minutes_before: minutes,
      starts_at: start,
      remind_at: start - minutes * 60_000,
      subject: event.subject,
      body: event.body ?? `${event.subject}: starts on ${time} (${timezone})`,
    })),
  );
}

/** An event or its problem, and its id if it has one. Reading a property may run code that throws. */
function read(item: unknown): [UpcomingEvent | string, string | undefined] {
  let id: string | undefined;
  try {
    const given: unknown = Object(item).id;
    if (problemOf(eventSchema.entries.id, given) === null) id = String(given);
    return [problemOf(eventSchema, item) ?? (item as UpcomingEvent), id];
  } catch (error) {
    return [`cannot be read: ${headline(error)}`, id];
  }
}
