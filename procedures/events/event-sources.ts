// Event sources: where an application stores its upcoming events, for reminders.

import * as v from 'valibot';
import type { BaseRequest } from '../../src/index.js';
import { Registry, textSchema } from '../shared/registry.js';

/** An upcoming event. */
export interface UpcomingEvent {
  /** Identifies the event within its source for ever, also when it moves. */
  readonly id: string;
  readonly start: Date;
  /** The users to remind, by the application's user names. */
  readonly to: string | readonly string[];
  readonly subject: string;
  /** The text of the reminder. Default: when the event starts, in the site's time zone. */
  readonly body?: string | undefined;
  /** Default: those of the source. */
  readonly remindMinutesBefore?: readonly number[] | undefined;
  /** True: sends no reminder. An event that is not returned counts as cancelled, too. */
  readonly cancelled?: boolean | undefined;
}

/** Events in any order, at most 100,000. */
export type UpcomingEvents = Iterable<UpcomingEvent> | AsyncIterable<UpcomingEvent>;

export interface EventSource {
  /** Stored with the reminders. */
  readonly name: string;
  /**
   * Returns all events that start from `from` on and before `to`: a list, or a generator for many. Called
   * every five minutes. While it throws, the last planned reminders are sent.
   */
  upcoming(from: Date, to: Date, ar: BaseRequest): UpcomingEvents | Promise<UpcomingEvents>;
  /**
   * How long before an event to remind its users, in whole minutes; one reminder for each number. Default
   * [60].
   */
  readonly remindMinutesBefore?: readonly number[] | undefined;
  /** The time limit to return all events. Default 60,000 ms. */
  readonly timeoutMs?: number | undefined;
  /** How far ahead `upcoming` is asked for events. Default 31; earlier reminders come late. */
  readonly lookAheadDays?: number | undefined;
}

/** Ten years; more would leave the range of dates. */
const maxMinutes = 10 * 366 * 24 * 60;
/** Minutes before an event. */
const minutes = v.optional(v.array(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(maxMinutes))));
const positive = v.optional(v.pipe(v.number(), v.finite(), v.gtValue(0)));

/** The schema of an event. */
export const eventSchema = v.looseObject({
  id: v.pipe(textSchema, v.minLength(1), v.maxLength(500)),
  start: v.date(),
  to: v.union([v.pipe(textSchema, v.minLength(1)), v.array(v.pipe(textSchema, v.minLength(1)))]),
  subject: textSchema,
  body: v.optional(textSchema),
  remindMinutesBefore: minutes,
});

export const eventSources = new Registry<EventSource>(
  'event source',
  v.looseObject({
    upcoming: v.function(),
    remindMinutesBefore: minutes,
    lookAheadDays: positive,
    timeoutMs: positive,
  }),
);

/**
 * Registers an event source. `event_notification_scheduler` reminds users of its events with messages of the
 * kind `reminder`.
 *
 * A reminder moves with its event, and is dropped when the event is cancelled. Nobody gets two reminders for
 * one start of an event. If an event moves after its reminder, another one is sent for the new start.
 *
 * @returns a function that removes it
 * @throws InvalidRegistrationError (`LINOD_ERR_INVALID_REGISTRATION`)
 * @example
 * registerEventSource({ name: 'meetings', upcoming: async (from, to) => await meetingsBetween(from, to) });
 */
export function registerEventSource(source: EventSource): () => void {
  return eventSources.add(source);
}
