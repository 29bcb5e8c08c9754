// The tables of the shipped procedures: messages, mails, pushes, problems, summaries and reminders.
//
// The types are words that mean the same on both databases: `bigint` is INTEGER on SQLite. `user` is a word of PostgreSQL's own.

import { idColumn, type Migration, sql } from '../../src/index.js';

export const tables: Migration = {
  name: '0001-first-release',
  async up(db) {
    const id = idColumn(db);
    for (const statement of [...messages(id), ...mails(id), ...pushes(id), ...data(id)]) {
      await sql.raw(statement).execute(db);
    }
  },
};

const messages = (id: string) => [
  `create table user_messages (
    ${id},
    "user" text not null,
    subject text not null,
    body text not null,
    kind text not null,
    owner text,
    created_at bigint not null,
    seen_at bigint,
    in_app bigint not null default 1,
    route_at bigint,
    pending_ways text,
    problem text
  )`,
  'create index user_messages_user on user_messages ("user", id)',
  'create index user_messages_seen on user_messages (seen_at)',
  'create index user_messages_route on user_messages (id) where route_at is not null',
  'create index user_messages_unseen on user_messages ("user") where seen_at is null',
  `create table notification_choices (
    "user" text not null,
    kind text not null,
    ways text not null,
    primary key ("user", kind)
  )`,
  `create table event_reminders (
    ${id},
    source text not null,
    event text not null,
    "user" text not null,
    minutes_before bigint not null,
    starts_at bigint not null,
    remind_at bigint not null,
    subject text not null,
    body text not null,
    sent_at bigint,
    unique (source, event, "user", minutes_before, starts_at)
  )`,
  'create index event_reminders_planned on event_reminders (remind_at) where sent_at is null',
  'create index event_reminders_start on event_reminders (starts_at)',
];

const mails = (id: string) => [
  `create table outbox_mails (
    ${id},
    message_id text not null unique,
    recipient text not null,
    sender text,
    subject text not null,
    text text not null,
    html text,
    urgency text not null,
    owner text,
    queued_at bigint not null,
    status text not null,
    attempts bigint not null,
    interruptions bigint not null,
    handed_over bigint not null default 0,
    unsubscribe text,
    next_attempt_at bigint not null,
    job_id bigint,
    answer text,
    done_at bigint,
    digest_id bigint references outbox_mails (id) on delete cascade
  )`,
  // In the order in which they are sent. Small, however many mails were sent: the procedures poll every few seconds.
  `create index outbox_mails_due on outbox_mails (next_attempt_at, id)
    where status in ('queued', 'deferred') and urgency <> 'daily'`,
  `create index outbox_mails_for_digest on outbox_mails (recipient, id)
    where status = 'queued' and urgency = 'daily'`,
  "create index outbox_mails_sending on outbox_mails (job_id) where status = 'sending'",
  'create index outbox_mails_done on outbox_mails (done_at)',
  'create index outbox_mails_digest on outbox_mails (digest_id)',
];

const pushes = (id: string) => [
  `create table push_subscriptions (
    ${id},
    "user" text not null,
    endpoint text not null unique,
    origin text not null,
    p256dh text not null,
    auth text not null,
    device text,
    created_at bigint not null,
    sent_at bigint,
    state text not null,
    problem text
  )`,
  'create index push_subscriptions_user on push_subscriptions ("user", id)',
  'create index push_subscriptions_origin on push_subscriptions (origin)',
  `create table push_messages (
    ${id},
    "user" text,
    payload text not null,
    topic text not null,
    urgency text not null,
    queued_at bigint not null,
    expires_at bigint not null
  )`,
  'create index push_messages_queued on push_messages (queued_at)',
  `create table push_deliveries (
    ${id},
    message_id bigint not null references push_messages (id) on delete cascade,
    subscription_id bigint not null,
    status text not null,
    attempts bigint not null,
    interruptions bigint not null,
    handed_over bigint not null default 0,
    next_attempt_at bigint not null,
    job_id bigint,
    answer text,
    done_at bigint
  )`,
  'create index push_deliveries_message on push_deliveries (message_id)',
  "create index push_deliveries_pending on push_deliveries (next_attempt_at, id) where status = 'pending'",
  "create index push_deliveries_waiting on push_deliveries (subscription_id) where status = 'pending'",
  "create index push_deliveries_sending on push_deliveries (job_id) where status = 'sending'",
  'create index push_deliveries_done on push_deliveries (done_at)',
];

const data = (id: string) => [
  `create table data_problems (
    ${id},
    checker text not null,
    owner text not null,
    message text not null,
    fixable bigint not null,
    since bigint not null,
    seen_pass bigint not null,
    closed_at bigint,
    unique (checker, owner, message)
  )`,
  'create index data_problems_closed on data_problems (closed_at)',
  // Closing what a pass did not find reads open problems only, however many were closed.
  'create index data_problems_open on data_problems (checker, seen_pass) where closed_at is null',
  `create table checker_passes (
    checker text primary key not null,
    pass bigint not null,
    run text not null default '',
    started_at bigint not null,
    position text,
    checked bigint not null,
    ended_at bigint
  )`,
  `create table dirty_summaries (
    ${id},
    summary text not null,
    key text not null,
    version bigint not null,
    marked_at bigint not null,
    failures bigint not null,
    last_error text,
    unique (summary, key)
  )`,
  'create index dirty_summaries_order on dirty_summaries (summary, failures, id)',
  `create table whole_summaries (
    summary text primary key not null,
    asked_at bigint not null
  )`,
];
