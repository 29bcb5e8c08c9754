// The tables of the shipped procedures. The first migration creates them from here, and the row types derive
// from them. A later column needs its own migration. Times are ms since 1970 UTC, booleans 0 and 1.

import type { Generated, Selectable } from 'kysely';
import { idColumn, type Migration, sql } from '../../src/index.js';

/** A database column, and its type for Kysely. */
interface Column<T> {
  readonly sql: string;
  readonly type?: T;
}

function column<T>(sql: string): Column<T> {
  return { sql };
}

// These type names are valid on both databases: `bigint` is INTEGER on SQLite.
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
 * queued: waits for its time. sending: claimed by a job. sent: accepted. deferred: not accepted yet, and
 * tried again. failed: given up, see the answer. digested: part of another mail, see `digest_id`.
 */
export const mailStatuses = ['queued', 'sending', 'sent', 'deferred', 'failed', 'digested'] as const;
export type MailStatus = (typeof mailStatuses)[number];

/** often: sent within seconds. daily: waits for the user's daily digest. digest: such a digest. */
export type MailUrgency = 'often' | 'daily' | 'digest';

/** The urgency of a push, for devices that save battery. Source: RFC 8030, 5.3. */
export type PushUrgency = 'very-low' | 'low' | 'normal' | 'high';

/**
 * pending: waits for its time. sending: claimed by a job. sent: the push service accepted it. failed: given
 * up, see the answer.
 */
export type PushDeliveryStatus = 'pending' | 'sending' | 'sent' | 'failed';

/** The common columns of both outboxes. */
const outbox = {
  /** The number of attempts. */
  attempts: number,
  /** The number of attempts with an unknown result. */
  interruptions: number,
  /** 1 from the moment at which the other side may accept it until its answer. */
  handed_over: zero,
  /** The earliest next attempt. */
  next_attempt_at: number,
  /** The job that has claimed it. */
  job_id: numberOrNull,
  /** The last answer of the other side. */
  answer: textOrNull,
  /** When it was sent or given up. */
  done_at: numberOrNull,
};

const tables = {
  /** Messages of an application to its users. */
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
    /** Whether the application shows it: 0 for a user who gets it only on other ways. */
    in_app: column<Generated<number>>('bigint not null default 1'),
    /** When its next delivery is due; null when there is none. */
    route_at: numberOrNull,
    /** JSON list of the remaining ways; null before the first attempt. */
    pending_ways: textOrNull,
    /** The last problem of its delivery. */
    problem: textOrNull,
  },
  /** A user's ways for messages of a kind; the kind `*` means all others. */
  notification_choices: {
    user: text,
    kind: text,
    /** JSON list of ways. */
    ways: text,
  },
  /** A reminder of an event. One row for each (source, event, user, minutes, start). */
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
    /** When it was sent as a message, or a later one of the same event replaced it. */
    sent_at: numberOrNull,
  },
  outbox_mails: {
    id,
    /** The header `Message-ID`, with its angle brackets: the same in all attempts. */
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
    /** The digest that contains it. */
    digest_id: column<number | null>('bigint references outbox_mails (id) on delete cascade'),
    ...outbox,
  },
  /** A browser, or another receiver of Web Push, of a user. */
  push_subscriptions: {
    id,
    user: text,
    /** The URL at its push service. */
    endpoint: uniqueText,
    /** The push service: scheme, host and port of the endpoint. */
    origin: text,
    /** Its public key on the curve P-256, uncompressed, as base64url. */
    p256dh: text,
    /** Its authentication secret, 16 bytes as base64url. */
    auth: text,
    /** Its name for people, `Firefox on Linux`. */
    device: textOrNull,
    created_at: number,
    /** When the push service last accepted a push for it. */
    sent_at: numberOrNull,
    /** broken: nothing can be sent to it, see `problem`; a new subscription repairs it. */
    state: oneOf<'active' | 'broken'>(),
    problem: textOrNull,
  },
  /** A push to the subscriptions of a user, or of all. */
  push_messages: {
    id,
    /** Null: all users. */
    user: textOrNull,
    /** The content before its encryption for each receiver. */
    payload: text,
    /** The header `Topic`, the same in all attempts: a push service replaces a waiting copy. */
    topic: text,
    urgency: oneOf<PushUrgency>(),
    queued_at: number,
    /** Useless afterwards. */
    expires_at: number,
  },
  /** One message to one subscription. */
  push_deliveries: {
    id,
    message_id: column<number>('bigint not null references push_messages (id) on delete cascade'),
    /** Stays when the subscription is removed. */
    subscription_id: number,
    status: oneOf<PushDeliveryStatus>(),
    ...outbox,
  },
  /** A problem in the application's data. One row for each (checker, owner, message). */
  data_problems: {
    id,
    checker: text,
    /** What has the problem, `orders 17`. */
    owner: text,
    message: text,
    fixable: number,
    /** When it was first found since it was last solved. */
    since: number,
    /** The checker's last pass that found it. */
    seen_pass: number,
    /** When it was found solved. */
    closed_at: numberOrNull,
  },
  /** The position of a checker, where an interrupted pass continues. */
  checker_passes: {
    checker: uniqueText,
    pass: number,
    /** The run that owns the pass. */
    run: text,
    started_at: number,
    /** JSON of the key of the last checked row; null before the first. */
    position: textOrNull,
    checked: number,
    ended_at: numberOrNull,
  },
  /** An outdated key of a summary. One row for each (summary, key). */
  dirty_summaries: {
    id,
    summary: text,
    key: text,
    /** Counts the marks, so that a mark during the computation of its key stays. */
    version: number,
    marked_at: number,
    failures: number,
    last_error: textOrNull,
  },
  /** A summary to recompute completely, whose keys are not all marked yet. */
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
  // In the order of sending. Small even after many mails, because the procedures poll every few seconds.
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
  // A pass closes problems that it did not find; this reads open ones only.
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
 * The tables, for Kysely's `withTables`.
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
