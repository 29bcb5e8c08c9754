// The tables: rules, jobs and what belongs to them, workers, leases, log positions.
//
// The types are words that mean the same on both databases: `bigint` and `double precision` are INTEGER and REAL on SQLite.

import { sql } from 'kysely';
import { idColumn } from '../dialect.js';
import type { Migration } from '../migrate.js';
import { createTriggers } from './triggers.js';

/**
 * What makes a rule another one: a change of these columns goes into the rules' history. The other columns follow from
 * these, or change with every run.
 */
const ruleFields = {
  seqno: 'bigint not null',
  name: 'text not null',
  procedure: 'text not null',
  suggestion: 'text not null',
  created_at: 'bigint not null',
  every: 'bigint',
  every_unit: 'text',
  weekdays: 'text',
  positions: 'text',
  cron: 'text',
  start_datetime: 'text',
  timezone: 'text',
  until: 'text',
  count: 'bigint',
  missing_time: 'text',
  repeated_time: 'text',
  log_level: 'text',
  on_failure: 'text',
  timeout_seconds: 'double precision',
  misfire: 'text',
  misfire_window_seconds: 'double precision',
  overlap: 'text',
  grace_seconds: 'double precision',
  retries: 'bigint',
  retry_delay_seconds: 'double precision',
  cancel_after: 'bigint',
  on_lost: 'text',
  run_in: 'text',
  memory_mb: 'bigint',
  priority: 'bigint',
  job_group: 'text',
  group_limit: 'bigint',
  jitter_seconds: 'double precision',
  excluded: 'text',
  on_excluded: 'text',
  run_after: 'text',
  cancelled_at: 'bigint',
  cancelled_by: 'text',
  cancelled_reason: 'text',
  removed_at: 'bigint',
} as const;

export const tables: Migration = {
  name: '0001-first-release',
  async up(db) {
    const id = idColumn(db);
    for (const statement of [...rules(id), ...jobs(id), ...workers(id)]) {
      await sql.raw(statement).execute(db);
    }
    await createTriggers(db, Object.keys(ruleFields));
  },
};

const rules = (id: string) => [
  `create table job_rules (
    ${id},
    ${Object.entries(ruleFields)
      .map(([name, type]) => `${name} ${type}`)
      .join(', ')},
    next_due_at bigint,
    failures_in_row bigint not null default 0,
    due_priority bigint not null default 0,
    due_group text not null default '',
    due_host text not null default '',
    follows_rule_id bigint,
    revision bigint not null default 0
  )`,
  'create index job_rules_due on job_rules (next_due_at)',
  "create index job_rules_due_host on job_rules (next_due_at) where due_host <> ''",
  'create index job_rules_follows on job_rules (follows_rule_id) where follows_rule_id is not null',
  `create table rule_changes (
    ${id},
    rule_id bigint not null,
    revision bigint not null,
    field text not null,
    value_before text,
    value_after text,
    changed_at bigint not null,
    changed_by text,
    how text
  )`,
  'create index rule_changes_rule on rule_changes (rule_id, revision)',
  'create index rule_changes_unsigned on rule_changes (rule_id) where how is null',
  `create table decisions (
    ${id},
    rule_id bigint not null references job_rules (id),
    due_at bigint,
    due_until bigint,
    times bigint not null default 1,
    decided_at bigint not null,
    worker_id text not null,
    reason text not null,
    detail text not null,
    request_id bigint,
    job_id bigint
  )`,
  'create index decisions_rule on decisions (rule_id, id)',
  `create table decision_summaries (
    rule_id bigint not null references job_rules (id),
    day text not null,
    reason text not null,
    times bigint not null,
    first_at bigint not null,
    last_at bigint not null,
    last_detail text not null,
    primary key (rule_id, day, reason)
  )`,
];

const jobs = (id: string) => [
  `create table job_requests (
    ${id},
    rule_id bigint not null references job_rules (id),
    action text not null,
    requested_at bigint not null,
    requested_by text not null,
    run_at bigint not null default 0,
    attempt bigint not null default 1,
    priority bigint not null default 0,
    args text,
    checkpoint text,
    of_job bigint,
    job_group text not null default '',
    handled_at bigint,
    outcome text
  )`,
  'create index job_requests_open on job_requests (action, priority desc, id) where handled_at is null',
  'create index job_requests_later on job_requests (run_at) where handled_at is null and run_at > 0',
  `create table jobs (
    ${id},
    rule_id bigint not null references job_rules (id),
    procedure text not null,
    due_at bigint,
    request_id bigint unique references job_requests (id),
    start_datetime bigint not null,
    end_datetime bigint,
    status text not null,
    message text not null,
    progress text,
    worker_id text not null,
    attempt bigint not null default 1,
    args text,
    checkpoint text,
    cause text,
    run_in text,
    job_group text,
    cpu_ms bigint,
    memory_bytes bigint,
    constraint jobs_rule_due unique (rule_id, due_at)
  )`,
  'create index jobs_rule on jobs (rule_id, id)',
  "create index jobs_running on jobs (rule_id) where status = 'running'",
  "create index jobs_in_group on jobs (job_group) where status = 'running' and job_group is not null",
  `create table job_lines (
    ${id},
    job_id bigint not null references jobs (id) on delete cascade,
    logged_at bigint not null,
    level text not null,
    text text not null
  )`,
  'create index job_lines_job on job_lines (job_id, id)',
];

const workers = (id: string) => [
  `create table workers (
    id text primary key not null,
    host text not null,
    pid bigint not null,
    pid_start text not null,
    channels text not null,
    version text not null,
    started_at bigint not null,
    heartbeat_at bigint not null,
    stopped_at bigint,
    stop_reason text,
    health text not null default '',
    procedures text not null default '',
    max_jobs bigint
  )`,
  `create table leases (
    name text primary key not null,
    worker_id text not null,
    fence bigint not null,
    until bigint not null
  )`,
  `create table start_orders (
    name text primary key not null,
    ordered_at bigint not null,
    ordered_by text not null
  )`,
  `create table switch_offs (
    ${id},
    since bigint not null,
    until bigint
  )`,
];
