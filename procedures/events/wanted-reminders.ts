// From what an event source returned to the reminders that should be, without trusting it.

import { localTime } from '../../src/index.js';
import type { FoundProblem } from '../checks/problems.js';
import { headline } from '../failures.js';
import type { EventReminderRow } from '../store/tables.js';
import { areMinutes, type EventSource, type UpcomingEvent } from './event-sources.js';

/** A reminder that should be there. */
export type WantedReminder = Omit<EventReminderRow, 'id' | 'sent_at'>;

export interface Wanted {
  readonly reminders: readonly WantedReminder[];
  /** What is wrong with events that make no sense. */
  readonly problems: readonly FoundProblem[];
  /** Of these, those that can be named. */
  readonly unclear: ReadonlySet<string>;
}

const maxIdLength = 500;
const defaultMinutes: readonly number[] = [60];

/**
 * @param from events that started before are over
 * @param timezone for the times in texts
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
      problems.push({ owner: `event ${id ?? `at place ${index}`}`, message: event });
      if (id !== undefined) unclear.add(id);
    } else if (event.cancelled !== true && event.start >= from) {
      for (const reminder of remindersOf(source, event, timezone))
        reminders.set(reminderKey(reminder), reminder);
    }
  }
  return { reminders: [...reminders.values()], problems, unclear };
}

/** What tells a reminder from others of its source. */
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

/** An event, or why it is none, with its id if that can be told. Reading a property may run code that throws. */
function read(item: unknown): [UpcomingEvent | string, string | undefined] {
  let id: string | undefined;
  try {
    id = idOf(item);
    return [parseEvent(item), id];
  } catch (error) {
    return [`cannot be read: ${headline(error)}`, id];
  }
}

/** An event, or why it is none. */
function parseEvent(event: unknown): UpcomingEvent | string {
  if (typeof event !== 'object' || event === null) return `expected an event, got: ${String(event)}`;
  const { id, start, to, subject, body, remindMinutesBefore } = event as Partial<Record<string, unknown>>;
  if (!isId(id)) return `expected id to be a text of 1 to ${maxIdLength} characters, none of them zero`;
  if (!(start instanceof Date) || Number.isNaN(start.getTime())) return 'expected start to be a valid Date';
  const users = Array.isArray(to) ? (to as unknown[]) : [to];
  if (!users.every((user) => isText(user) && user !== '')) {
    return 'expected to to be a user or a list of users';
  }
  if (!isText(subject)) return 'expected subject to be a text without zero characters';
  if (body !== undefined && !isText(body)) return 'expected body to be a text without zero characters';
  if (remindMinutesBefore !== undefined && !areMinutes(remindMinutesBefore)) {
    return 'expected remindMinutesBefore to be a list of whole numbers from 0 on';
  }
  return event as UpcomingEvent;
}

function idOf(event: unknown): string | undefined {
  if (typeof event !== 'object' || event === null || !('id' in event)) return undefined;
  return isId(event.id) ? event.id : undefined;
}

function isId(id: unknown): id is string {
  return isText(id) && id !== '' && id.length <= maxIdLength;
}

/** PostgreSQL stores no zero character, and what it refuses would take the other events with it. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0');
}
