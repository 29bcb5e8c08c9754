// The tables that come with the shipped procedures. Times are milliseconds since 1970 UTC; booleans are 0 and 1.

import type { Generated, Selectable } from 'kysely';

/**
 * For Kysely's `withTables`.
 *
 * @example
 * const db = ar.db.withTables<ProcedureTables>();
 * await db.selectFrom('data_problems').select('message').where('closed_at', 'is', null).execute();
 */
export type ProcedureTables = {
  user_messages: UserMessageTable;
  notification_choices: NotificationChoiceTable;
  outbox_mails: OutboxMailTable;
  data_problems: DataProblemTable;
  checker_passes: CheckerPassTable;
  dirty_summaries: DirtySummaryTable;
  whole_summaries: WholeSummaryTable;
  event_reminders: EventReminderTable;
  push_subscriptions: PushSubscriptionTable;
  push_messages: PushMessageTable;
  push_deliveries: PushDeliveryTable;
};

/** What an application tells a user. */
export interface UserMessageTable {
  id: Generated<number>;
  user: string;
  subject: string;
  body: string;
  /** What the message is about, a word of the application's choice; reminders have `reminder`. */
  kind: string;
  /** What the message belongs to, `order 17`. */
  owner: string | null;
  created_at: number;
  seen_at: number | null;
  /** Whether the application shows it: 0 for a user who gets it on other ways only. */
  in_app: Generated<number>;
  /** When it is to go its other ways; null when it is through. */
  route_at: number | null;
  /** JSON of the names of ways that are left; null before the first attempt. */
  pending_ways: string | null;
  /** What went wrong on its ways last. */
  problem: string | null;
}

/** How a user wants messages of a kind; the kind `*` stands for all others. */
export interface NotificationChoiceTable {
  user: string;
  kind: string;
  /** JSON of the names of ways. */
  ways: string;
}

/**
 * queued: waits for its time. sending: a job has it in hand. sent: it was taken. deferred: not yet taken, and tried again.
 * failed: given up, see the answer. digested: travels as a part of another mail, see `digest_id`.
 */
export const mailStatuses = ['queued', 'sending', 'sent', 'deferred', 'failed', 'digested'] as const;
export type MailStatus = (typeof mailStatuses)[number];

/** often: sent within seconds. daily: waits for the user's daily digest. digest: such a digest. */
export type MailUrgency = 'often' | 'daily' | 'digest';

export interface OutboxMailTable {
  id: Generated<number>;
  /** The header `Message-ID`, with its angle brackets: the same at every attempt. */
  message_id: string;
  recipient: string;
  /** Null: the transport's own. */
  sender: string | null;
  subject: string;
  text: string;
  html: string | null;
  urgency: MailUrgency;
  owner: string | null;
  queued_at: number;
  status: MailStatus;
  /** How often it was tried to send it. */
  attempts: number;
  /** How many of the attempts left it in doubt whether it was taken. */
  interruptions: number;
  /** 1 from the moment on at which the job that has it in hand lets go of its end, and until there is an answer. */
  handed_over: Generated<number>;
  /** For the header `List-Unsubscribe`; null for none. */
  unsubscribe: Generated<string | null>;
  /** Not before this time. */
  next_attempt_at: number;
  /** The job that has it in hand. */
  job_id: number | null;
  /** What the transport said last. */
  answer: string | null;
  /** When it was sent or given up. */
  done_at: number | null;
  /** The mail that it travels in. */
  digest_id: number | null;
}

/** A problem in the application's data, found by a checker. A row a (checker, owner, message). */
export interface DataProblemTable {
  id: Generated<number>;
  checker: string;
  /** What is wrong, `orders 17`. */
  owner: string;
  message: string;
  fixable: number;
  /** When it was found first, since it was last not there. */
  since: number;
  /** The checker's pass that found it last. */
  seen_pass: number;
  /** When it was found to be gone. */
  closed_at: number | null;
}

/** How far a checker has come. A pass that was interrupted goes on where it was. */
export interface CheckerPassTable {
  checker: string;
  pass: number;
  /** The run that has it in hand; empty in rows of earlier versions. */
  run: Generated<string>;
  started_at: number;
  /** JSON of the key of the last row that was checked; null before the first. */
  position: string | null;
  checked: number;
  ended_at: number | null;
}

/** What has to be computed anew. A row a (summary, key). */
export interface DirtySummaryTable {
  id: Generated<number>;
  summary: string;
  key: string;
  /** Counts the marks: one that is made while the key is being computed stays. */
  version: number;
  marked_at: number;
  failures: number;
  last_error: string | null;
}

/** A summary of which all keys are to be computed, and are not all marked yet. */
export interface WholeSummaryTable {
  summary: string;
  asked_at: number;
}

/** A reminder of an event. A row a (source, event, user, minutes, start). */
export interface EventReminderTable {
  id: Generated<number>;
  source: string;
  event: string;
  user: string;
  minutes_before: number;
  starts_at: number;
  remind_at: number;
  subject: string;
  body: string;
  /** When it became a message, or was covered by a later one of the same event. */
  sent_at: number | null;
}

/** A browser, or another receiver of Web Push, of a user. */
export interface PushSubscriptionTable {
  id: Generated<number>;
  user: string;
  /** Where its push service takes messages for it. */
  endpoint: string;
  /** The push service: scheme, host and port of the endpoint. */
  origin: string;
  /** Its public key on the curve P-256, uncompressed, as base64url. */
  p256dh: string;
  /** Its authentication secret, 16 bytes as base64url. */
  auth: string;
  /** What people call it, `Firefox on Linux`. */
  device: string | null;
  created_at: number;
  /** When something was taken for it last. */
  sent_at: number | null;
  /** broken: nothing can be sent to it, see `problem`; subscribing anew mends it. */
  state: 'active' | 'broken';
  problem: string | null;
}

/** How urgent a push is for a device that saves its battery. Source: RFC 8030, 5.3. */
export type PushUrgency = 'very-low' | 'low' | 'normal' | 'high';

/** What is sent to the subscriptions of a user, or of all. */
export interface PushMessageTable {
  id: Generated<number>;
  /** Null: all users. */
  user: string | null;
  /** What the receivers get, before it is encrypted for each of them. */
  payload: string;
  /** The header `Topic`, the same at every attempt: a push service that still has the first replaces it. */
  topic: string;
  urgency: PushUrgency;
  queued_at: number;
  /** Of no use afterwards. */
  expires_at: number;
}

/**
 * pending: waits for its time. sending: a job has it in hand. sent: the push service took it. failed: given up, see
 * the answer.
 */
export type PushDeliveryStatus = 'pending' | 'sending' | 'sent' | 'failed';

/** One message on its way to one subscription. */
export interface PushDeliveryTable {
  id: Generated<number>;
  message_id: number;
  /** Stays when the subscription is gone. */
  subscription_id: number;
  status: PushDeliveryStatus;
  /** How often it failed or was sent; what a push service put off by itself does not count. */
  attempts: number;
  /** How many of its attempts left it in doubt whether it was taken. */
  interruptions: number;
  /** 1 from the moment on at which the push service may have taken it, and until there is an answer. */
  handed_over: Generated<number>;
  next_attempt_at: number;
  job_id: number | null;
  /** What the push service said last, or what else became of it. */
  answer: string | null;
  done_at: number | null;
}

export type UserMessageRow = Selectable<UserMessageTable>;
export type NotificationChoiceRow = Selectable<NotificationChoiceTable>;
export type OutboxMailRow = Selectable<OutboxMailTable>;
export type DataProblemRow = Selectable<DataProblemTable>;
export type CheckerPassRow = Selectable<CheckerPassTable>;
export type DirtySummaryRow = Selectable<DirtySummaryTable>;
export type EventReminderRow = Selectable<EventReminderTable>;
export type PushSubscriptionRow = Selectable<PushSubscriptionTable>;
export type PushMessageRow = Selectable<PushMessageTable>;
export type PushDeliveryRow = Selectable<PushDeliveryTable>;
