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
  outbox_mails: OutboxMailTable;
  data_problems: DataProblemTable;
  checker_passes: CheckerPassTable;
  dirty_summaries: DirtySummaryTable;
  event_reminders: EventReminderTable;
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
}

/**
 * pending: waits for its time. sending: a job has it in hand. sent: the transport took it. failed: given up, see the
 * answer. digested: travels as a part of another mail, see `digest_id`.
 */
export type MailStatus = 'pending' | 'sending' | 'sent' | 'failed' | 'digested';

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
  /** How often it was handed to the transport. */
  attempts: number;
  /** How many of the attempts ended with the death of the job. */
  interruptions: number;
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

export type UserMessageRow = Selectable<UserMessageTable>;
export type OutboxMailRow = Selectable<OutboxMailTable>;
export type DataProblemRow = Selectable<DataProblemTable>;
export type CheckerPassRow = Selectable<CheckerPassTable>;
export type DirtySummaryRow = Selectable<DirtySummaryTable>;
export type EventReminderRow = Selectable<EventReminderTable>;
