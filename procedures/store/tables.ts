// The tables that come with the shipped procedures, once: the first migration and the types of the rows are made of them.
// A later column gets a migration of its own. Times are milliseconds since 1970 UTC; booleans are 0 and 1.

import type { Generated, Selectable } from 'kysely';
import { idColumn, type Migration, sql } from '../../src/index.js';

/** A column of the database, and the type that Kysely has for it. */
interface Column<T> {
  readonly sql: string;
  readonly type?: T;
}

function column<T>(sql: string): Column<T> {
  return { sql };
}

// The types are words that mean the same on both databases: `bigint` is INTEGER on SQLite.
const id = column<Generated<number>>('');
const number = column<number>('bigint not null');
const numberOrNull = column<number | null>('bigint');
const zero = column<Generated<number>>('bigint not null default 0');
const text = column<string>('text not null');
const uniqueText = column<string>('text not null unique');
const textOrNull = column<string | null>('text');

function oneOf<T extends string>(): Column<T> {
  return column<T>('text not null');
}

/**
 * queued: waits for its time. sending: a job has it in hand. sent: it was taken. deferred: not yet taken, and tried again.
 * failed: given up, see the answer. digested: travels as a part of another mail, see `digest_id`.
 */
export const mailStatuses = ['queued', 'sending', 'sent', 'deferred', 'failed', 'digested'] as const;
export type MailStatus = (typeof mailStatuses)[number];

/** often: sent within seconds. daily: waits for the user's daily digest. digest: such a digest. */
export type MailUrgency = 'often' | 'daily' | 'digest';

/** How urgent a push is for a device that saves its battery. Source: RFC 8030, 5.3. */
export type PushUrgency = 'very-low' | 'low' | 'normal' | 'high';

/**
 * pending: waits for its time. sending: a job has it in hand. sent: the push service took it. failed: given up, see
 * the answer.
 */
export type PushDeliveryStatus = 'pending' | 'sending' | 'sent' | 'failed';

/** What the two outboxes have in common. */
const outbox = {
  /** How often it was tried to send it. */
  attempts: number,
  /** How many of the attempts left it in doubt whether it was taken. */
  interruptions: number,
  /** 1 from the moment on at which it may have been taken, and until there is an answer. */
  handed_over: zero,
  /** Not before this time. */
  next_attempt_at: number,
  /** The job that has it in hand. */
  job_id: numberOrNull,
  /** What the other side said last. */
  answer: textOrNull,
  /** When it was sent or given up. */
  done_at: numberOrNull,
};

const tables = {
  /** What an application tells a user. */
  user_messages: {
    id,
    user: text,
    subject: text,
    body: text,
    /** What the message is about, a word of the application's choice; reminders have `reminder`. */
    kind: text,
    /** What the message belongs to, `order 17`. */
    owner: textOrNull,
    created_at: number,
    seen_at: numberOrNull,
    /** Whether the application shows it: 0 for a user who gets it on other ways only. */
    in_app: column<Generated<number>>('bigint not null default 1'),
    /** When it is to go its other ways; null when it is through. */
    route_at: numberOrNull,
    /** JSON of the names of ways that are left; null before the first attempt. */
    pending_ways: textOrNull,
    /** What went wrong on its ways last. */
    problem: textOrNull,
  },
  /** How a user wants messages of a kind; the kind `*` stands for all others. */
  notification_choices: {
    user: text,
    kind: text,
    /** JSON of the names of ways. */
    ways: text,
  },
  /** A reminder of an event. A row a (source, event, user, minutes, start). */
  event_reminders: {
    id,
    source: text,
    event: text,
    user: text,
    minutes_before: number,
    starts_at: number,
    remind_at: number,
    subject: text,
    body: text,
    /** When it became a message, or was covered by a later one of the same event. */
    sent_at: numberOrNull,
  },
  outbox_mails: {
    id,
    /** The header `Message-ID`, with its angle brackets: the same at every attempt. */
    message_id: uniqueText,
    recipient: text,
    /** Null: the transport's own. */
    sender: textOrNull,
    subject: text,
    text,
    html: textOrNull,
    urgency: oneOf<MailUrgency>(),
    owner: textOrNull,
    queued_at: number,
    status: oneOf<MailStatus>(),
    /** For the header `List-Unsubscribe`; null for none. */
    unsubscribe: column<Generated<string | null>>('text'),
    /** The mail that it travels in. */
    digest_id: column<number | null>('bigint references outbox_mails (id) on delete cascade'),
    ...outbox,
  },
  /** A browser, or another receiver of Web Push, of a user. */
  push_subscriptions: {
    id,
    user: text,
    /** Where its push service takes messages for it. */
    endpoint: uniqueText,
    /** The push service: scheme, host and port of the endpoint. */
    origin: text,
    /** Its public key on the curve P-256, uncompressed, as base64url. */
    p256dh: text,
    /** Its authentication secret, 16 bytes as base64url. */
    auth: text,
    /** What people call it, `Firefox on Linux`. */
    device: textOrNull,
    created_at: number,
    /** When something was taken for it last. */
    sent_at: numberOrNull,
    /** broken: nothing can be sent to it, see `problem`; subscribing anew mends it. */
    state: oneOf<'active' | 'broken'>(),
    problem: textOrNull,
  },
  /** What is sent to the subscriptions of a user, or of all. */
  push_messages: {
    id,
    /** Null: all users. */
    user: textOrNull,
    /** What the receivers get, before it is encrypted for each of them. */
    payload: text,
    /** The header `Topic`, the same at every attempt: a push service that still has the first replaces it. */
    topic: text,
    urgency: oneOf<PushUrgency>(),
    queued_at: number,
    /** Of no use afterwards. */
    expires_at: number,
  },
  /** One message on its way to one subscription. */
  push_deliveries: {
    id,
    message_id: column<number>('bigint not null references push_messages (id) on delete cascade'),
    /** Stays when the subscription is gone. */
    subscription_id: number,
    status: oneOf<PushDeliveryStatus>(),
    ...outbox,
  },
  /** A problem in the application's data, found by a checker. A row a (checker, owner, message). */
  data_problems: {
    id,
    checker: text,
    /** What is wrong, `orders 17`. */
    owner: text,
    message: text,
    fixable: number,
    /** When it was found first, since it was last not there. */
    since: number,
    /** The checker's pass that found it last. */
    seen_pass: number,
    /** When it was found to be gone. */
    closed_at: numberOrNull,
  },
  /** How far a checker has come. A pass that was interrupted goes on where it was. */
  checker_passes: {
    checker: uniqueText,
    pass: number,
    /** The run that has it in hand. */
    run: text,
    started_at: number,
    /** JSON of the key of the last row that was checked; null before the first. */
    position: textOrNull,
    checked: number,
    ended_at: numberOrNull,
  },
  /** What has to be computed anew. A row a (summary, key). */
  dirty_summaries: {
    id,
    summary: text,
    key: text,
    /** Counts the marks: one that is made while the key is being computed stays. */
    version: number,
    marked_at: number,
    failures: number,
    last_error: textOrNull,
  },
  /** A summary of which all keys are to be computed, and are not all marked yet. */
  whole_summaries: { summary: uniqueText, asked_at: number },
};

const indexes = [
  'user_messages ("user", id)',
  'user_messages (seen_at)',
  'user_messages (id) where route_at is not null',
  'user_messages ("user") where seen_at is null',
  'unique notification_choices ("user", kind)',
  'unique event_reminders (source, event, "user", minutes_before, starts_at)',
  'event_reminders (remind_at) where sent_at is null',
  'event_reminders (starts_at)',
  // In the order in which they are sent. Small, however many mails were sent: the procedures poll every few seconds.
  "outbox_mails (next_attempt_at, id) where status in ('queued', 'deferred') and urgency <> 'daily'",
  "outbox_mails (recipient, id) where status = 'queued' and urgency = 'daily'",
  "outbox_mails (job_id) where status = 'sending'",
  'outbox_mails (done_at)',
  'outbox_mails (digest_id)',
  'push_subscriptions ("user", id)',
  'push_messages (queued_at)',
  'push_deliveries (message_id)',
  "push_deliveries (next_attempt_at, id) where status = 'pending'",
  "push_deliveries (job_id) where status = 'sending'",
  'push_deliveries (done_at)',
  'unique data_problems (checker, owner, message)',
  'data_problems (closed_at)',
  // Closing what a pass did not find reads open problems only, however many were closed.
  'data_problems (checker, seen_pass) where closed_at is null',
  'unique dirty_summaries (summary, key)',
  'dirty_summaries (summary, failures, id)',
];

export const firstTables: Migration = {
  name: '0001-first-release',
  async up(db) {
    for (const [table, columns] of Object.entries(tables)) {
      const lines = Object.entries(columns).map(([name, { sql }]) =>
        name === 'id' ? idColumn(db) : `"${name}" ${sql}`,
      );
      await sql.raw(`create table ${table} (${lines.join(', ')})`).execute(db);
    }
    for (const [n, index] of indexes.entries()) {
      const [, unique = '', table, rest] = /^(unique )?(\w+) (.*)$/.exec(index) ?? [];
      await sql.raw(`create ${unique}index ${table}_${n} on ${table} ${rest}`).execute(db);
    }
  },
};

type Tables = typeof tables;
type TableOf<Columns> = {
  -readonly [K in keyof Columns]: Columns[K] extends Column<infer T> ? T : never;
};

/**
 * For Kysely's `withTables`.
 *
 * @example
 * const db = ar.db.withTables<ProcedureTables>();
 * await db.selectFrom('data_problems').select('message').where('closed_at', 'is', null).execute();
 */
export type ProcedureTables = { [Name in keyof Tables]: TableOf<Tables[Name]> };

type Row<Name extends keyof Tables> = Selectable<ProcedureTables[Name]>;
export type UserMessageRow = Row<'user_messages'>;
export type NotificationChoiceRow = Row<'notification_choices'>;
export type OutboxMailRow = Row<'outbox_mails'>;
export type DataProblemRow = Row<'data_problems'>;
export type CheckerPassRow = Row<'checker_passes'>;
export type DirtySummaryRow = Row<'dirty_summaries'>;
export type EventReminderRow = Row<'event_reminders'>;
export type PushSubscriptionRow = Row<'push_subscriptions'>;
export type PushMessageRow = Row<'push_messages'>;
export type PushDeliveryRow = Row<'push_deliveries'>;
