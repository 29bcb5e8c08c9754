// From what an event source returned to the reminders that should be, without trusting it.

import { localTime } from '../../src/index.js';
import type { EventReminderTable } from '../store/tables.js';
import { areMinutes, type EventSource, type UpcomingEvent } from './event-sources.js';

/** A reminder that should be there. */
export type WantedReminder = Omit<EventReminderTable, 'id' | 'sent_at'>;

export interface Wanted {
  readonly reminders: readonly WantedReminder[];
  /** What was wrong with what the source returned, a sentence an event. */
  readonly nonsense: readonly string[];
  /** Events that are there but make no sense: what is known of them from before still counts. */
  readonly unclear: ReadonlySet<string>;
}

const defaultMinutes: readonly number[] = [60];

/**
 * @param from events that started before are over
 * @param timezone for the times in texts
 * @throws TypeError when it is no list of anything
 */
export function wantedReminders(
  source: EventSource,
  returned: unknown,
  from: Date,
  timezone: string,
): Wanted {
  if (!Array.isArray(returned)) {
    throw new TypeError(`expected a list of events, got: ${JSON.stringify(returned) ?? String(returned)}`);
  }
  const reminders = new Map<string, WantedReminder>();
  const nonsense: string[] = [];
  const unclear = new Set<string>();
  for (const [index, item] of (returned as unknown[]).entries()) {
    const event = parseEvent(item);
    if (typeof event === 'string') {
      const id = idOf(item);
      nonsense.push(`event ${id === undefined ? `at place ${index}` : JSON.stringify(id)}: ${event}`);
      if (id !== undefined) unclear.add(id);
    } else if (!event.cancelled && event.start >= from) {
      for (const reminder of remindersOf(source, event, timezone)) {
        reminders.set(reminderKey(reminder), reminder);
      }
    }
  }
  return { reminders: [...reminders.values()], nonsense, unclear };
}

/** What tells a reminder from others of its source. */
export function reminderKey(
  reminder: Pick<EventReminderTable, 'event' | 'user' | 'minutes_before' | 'starts_at'>,
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

/** An event, or why it is none. */
function parseEvent(event: unknown): UpcomingEvent | string {
  if (typeof event !== 'object' || event === null) return `expected an event, got: ${String(event)}`;
  const { id, start, to, subject, body, remindMinutesBefore } = event as Partial<Record<string, unknown>>;
  if (typeof id !== 'string' || id === '') return 'expected id to be a text';
  if (!(start instanceof Date) || Number.isNaN(start.getTime())) return 'expected start to be a valid Date';
  const users = Array.isArray(to) ? (to as unknown[]) : [to];
  if (!users.every((user) => typeof user === 'string' && user !== '')) {
    return 'expected to to be a user or a list of users';
  }
  if (typeof subject !== 'string') return 'expected subject to be a text';
  if (body !== undefined && typeof body !== 'string') return 'expected body to be a text';
  if (remindMinutesBefore !== undefined && !areMinutes(remindMinutesBefore)) {
    return 'expected remindMinutesBefore to be a list of numbers from 0 on';
  }
  return event as UpcomingEvent;
}

function idOf(event: unknown): string | undefined {
  if (typeof event !== 'object' || event === null || !('id' in event)) return undefined;
  return typeof event.id === 'string' && event.id !== '' ? event.id : undefined;
}
