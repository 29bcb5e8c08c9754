// Event sources: where an application keeps what will happen, so that people can be reminded of it.

import * as v from 'valibot';
import type { BaseRequest } from '../../src/index.js';
import { Registry, textSchema } from '../registry.js';

/** Something that will happen. */
export interface UpcomingEvent {
  /** Names the event within its source for ever, also when it moves. */
  readonly id: string;
  readonly start: Date;
  /** The users to remind, as the application names its users. */
  readonly to: string | readonly string[];
  readonly subject: string;
  /** What the reminder says below its subject. Default: when the event starts, in the site's time zone. */
  readonly body?: string | undefined;
  /** Default: those of the source. */
  readonly remindMinutesBefore?: readonly number[] | undefined;
  /** True: there is nothing to be reminded of. An event that is not returned at all counts as cancelled, too. */
  readonly cancelled?: boolean | undefined;
}

/** Events in any order, at most 100,000. */
export type UpcomingEvents = Iterable<UpcomingEvent> | AsyncIterable<UpcomingEvent>;

export interface EventSource {
  /** Stored with the reminders. */
  readonly name: string;
  /**
   * All events that start from `from` on and before `to`: a list, or a generator where there are many. Asked every five
   * minutes. While it throws, reminders are sent as they were planned last.
   */
  upcoming(from: Date, to: Date, ar: BaseRequest): UpcomingEvents | Promise<UpcomingEvents>;
  /** How long before its start people are reminded of an event; several times with several whole numbers. Default [60]. */
  readonly remindMinutesBefore?: readonly number[] | undefined;
  /** How long it may take to tell all of them. Default 60,000 ms. */
  readonly timeoutMs?: number | undefined;
  /** How far `upcoming` is asked to look ahead. Default 31; reminders longer before than this come late. */
  readonly lookAheadDays?: number | undefined;
}

/** Ten years: what exceeds it leaves the range of dates. */
const maxMinutes = 10 * 366 * 24 * 60;
/** Minutes before an event. */
const minutes = v.optional(v.array(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(maxMinutes))));
const positive = v.optional(v.pipe(v.number(), v.finite(), v.gtValue(0)));

/** What an event has to be. */
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
 * Has `event_notification_scheduler` remind people of events, by messages of the kind `reminder`.
 *
 * A reminder moves when its event moves and goes when it is cancelled. For one start of an event nobody gets a
 * reminder twice; one that was sent before the event moved is followed by one for the new start.
 *
 * @returns takes it back
 * @throws InvalidRegistrationError (`LINOD_ERR_INVALID_REGISTRATION`)
 * @example
 * registerEventSource({ name: 'meetings', upcoming: async (from, to) => await meetingsBetween(from, to) });
 */
export function registerEventSource(source: EventSource): () => void {
  return eventSources.add(source);
}
