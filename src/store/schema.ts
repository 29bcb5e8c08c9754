// The columns of a site's tables. The migrations create them from here, and the types derive from them.
//
// Column types are SQLite's; PostgreSQL gets its equivalents. Times are ms since 1970 UTC, booleans 0 and 1.
// After the first release, a new column needs its own migration and an addition to `Database`.

import type { Generated, Selectable } from 'kysely';

/**
 * The columns that define a rule. Their changes go into the rules' history. Null means: as the procedure
 * suggests.
 */
export const ruleColumns = {
  /** Position in lists, as in the original's sequenced tables. */
  seqno: 'integer not null',
  name: 'text not null',
  procedure: 'text not null',
  /** The procedure's suggestion as JSON, so that a rule can be read where the procedure is not loaded. */
  suggestion: 'text not null',
  created_at: 'integer not null',
  every: 'integer',
  every_unit: 'text',
  /** JSON list of weekday names. */
  weekdays: 'text',
  /** JSON list of whole numbers. */
  positions: 'text',
  /** A cron expression, where `every_unit` is `cron`. */
  cron: 'text',
  /** Wall time in the rule's zone, `2026-11-24T20:00:00`. */
  start_datetime: 'text',
  timezone: 'text',
  /** Wall time; empty for no end. */
  until: 'text',
  /** 0 for no limit. */
  count: 'integer',
  missing_time: 'text',
  repeated_time: 'text',
  log_level: 'text',
  // The policies: see policies.ts.
  on_failure: 'text',
  timeout_seconds: 'real',
  misfire: 'text',
  misfire_window_seconds: 'real',
  overlap: 'text',
  grace_seconds: 'real',
  retries: 'integer',
  retry_delay_seconds: 'real',
  cancel_after: 'integer',
  on_lost: 'text',
  run_in: 'text',
  memory_mb: 'integer',
  priority: 'integer',
  job_group: 'text',
  group_limit: 'integer',
  jitter_seconds: 'real',
  /** JSON list. */
  excluded: 'text',
  on_excluded: 'text',
  run_after: 'text',
  /** When the rule was cancelled; it does not run until it is resumed. */
  cancelled_at: 'integer',
  /** `failure` of a run, which the next set-up of the rules resets, or a `person`, which it does not. */
  cancelled_by: 'text',
  cancelled_reason: 'text',
  /** When the procedure was missing for the first time; the rule stays for its history. */
  removed_at: 'integer',
} as const;

/** The tables of the first migration. A column of type `id` numbers its rows automatically. */
export const tables = {
  /** When to run a procedure. */
  job_rules: {
    id: 'id',
    ...ruleColumns,
    next_due_at: 'integer',
    /** How many runs in a row have failed, each with all its attempts. */
    failures_in_row: 'integer not null default 0',
    // What a poll needs without reading whole rules, and the rule whose runs this one follows.
    due_priority: 'integer not null default 0',
    due_group: "text not null default ''",
    follows_rule_id: 'integer',
    /**
     * Grows with each change of the rule by anybody, but not when the rule comes due, fails or advances. The
     * same revision means the same rule, except for `next_due_at` and `failures_in_row`. So parsed rules can
     * be cached by revision.
     */
    revision: 'integer not null default 0',
  },

  /** Requests: to run a rule now, or to end its run. */
  job_requests: {
    id: 'id',
    rule_id: 'integer not null references job_rules (id)',
    action: 'text not null',
    requested_at: 'integer not null',
    requested_by: 'text not null',
    /** When a worker took it, or it was withdrawn. */
    handled_at: 'integer',
    outcome: 'text',
    /** The earliest start: a further attempt waits. */
    run_at: 'integer not null default 0',
    /** The number of the attempt. */
    attempt: 'integer not null default 1',
    /** Higher numbers come first. */
    priority: 'integer not null default 0',
    /** JSON arguments for the run. */
    args: 'text',
    checkpoint: 'text',
    /** The job that it repeats, follows, or ends. */
    of_job: 'integer',
    /** The rule's group at the time of the request; empty for none. */
    job_group: "text not null default ''",
  },

  /** One run. One row for each (rule, due time), or (request). */
  jobs: {
    id: 'id',
    rule_id: 'integer not null references job_rules (id)',
    procedure: 'text not null',
    due_at: 'integer',
    request_id: 'integer unique references job_requests (id)',
    start_datetime: 'integer not null',
    end_datetime: 'integer',
    /** running, done, failed, cancelled, timeout, lost */
    status: 'text not null',
    message: 'text not null',
    progress: 'text',
    worker_id: 'text not null',
    /** 1, and one more for each attempt after a failure or a loss. */
    attempt: 'integer not null default 1',
    /** JSON arguments of its request. */
    args: 'text',
    /** JSON state that it, or the attempt before it, saved for the next attempt. */
    checkpoint: 'text',
    /**
     * Why it ended, in a word or two: `threw`, `exit 3`, `SIGKILL`, `out of memory`; null where the status is
     * enough.
     */
    cause: 'text',
    /** inline, thread or process; null means inline. */
    run_in: 'text',
    job_group: 'text',
    /**
     * Processor time of its thread or process, and its peak memory in bytes; null where it had none of its
     * own, or they are unknown.
     */
    cpu_ms: 'integer',
    memory_bytes: 'integer',
  },

  job_lines: {
    id: 'id',
    job_id: 'integer not null references jobs (id) on delete cascade',
    logged_at: 'integer not null',
    level: 'text not null',
    text: 'text not null',
  },

  /** The ledger: why something ran or did not. */
  decisions: {
    id: 'id',
    rule_id: 'integer not null references job_rules (id)',
    due_at: 'integer',
    decided_at: 'integer not null',
    worker_id: 'text not null',
    reason: 'text not null',
    detail: 'text not null',
    /** The last of several due times in one entry; null for one. */
    due_until: 'integer',
    /** How many due times the entry covers. */
    times: 'integer not null default 1',
    /** The request, if there was one. */
    request_id: 'integer',
    /** The job, where neither due time nor request identifies it. */
    job_id: 'integer',
  },

  /** Summaries of the ledger's old entries: one row for each rule, day and reason. */
  decision_summaries: {
    rule_id: 'integer not null references job_rules (id)',
    /** In the rule's zone, `2026-11-24`. */
    day: 'text not null',
    reason: 'text not null',
    /** How many due times, or other decisions. */
    times: 'integer not null',
    first_at: 'integer not null',
    last_at: 'integer not null',
    /** The detail of the last entry. */
    last_detail: 'text not null',
  },

  /**
   * The history of the rules: one row for each changed field. A trigger writes it whoever makes the change;
   * linod signs its own changes.
   */
  rule_changes: {
    id: 'id',
    rule_id: 'integer not null',
    /** The rule's revision after the change. */
    revision: 'integer not null',
    /** A column of `job_rules`, or `created`. */
    field: 'text not null',
    value_before: 'text',
    value_after: 'text',
    changed_at: 'integer not null',
    /** The person or worker. For a change in the database: the connected user, if known. */
    changed_by: 'text',
    /**
     * See `ChangeWay` in rules/changes/sign-changes.ts; null for a change in the database that no worker has
     * processed yet.
     */
    how: 'text',
  },

  workers: {
    id: 'text primary key not null',
    host: 'text not null',
    pid: 'integer not null',
    /** Distinguishes this process from a later one with the same pid. */
    pid_start: 'text not null',
    channels: 'text not null',
    version: 'text not null',
    started_at: 'integer not null',
    heartbeat_at: 'integer not null',
    stopped_at: 'integer',
    /** The reason, a clause for people. */
    stop_reason: 'text',
    /** Its health at the last heartbeat: a `WorkerHealth` as JSON, empty before the first. */
    health: "text not null default ''",
    /** JSON list of the names of its procedures; empty where an older version did not list them. */
    procedures: "text not null default ''",
    /** How many jobs it runs at once. */
    max_jobs: 'integer',
  },

  /** Rights that one worker at a time may have. */
  leases: {
    name: 'text primary key not null',
    worker_id: 'text not null',
    fence: 'integer not null',
    until: 'integer not null',
  },

  /** A coroutine that `initiate_linod` ordered to start: a restarted worker resumes it. */
  start_orders: {
    name: 'text primary key not null',
    ordered_at: 'integer not null',
    ordered_by: 'text not null',
  },
} as const;

/** The tables of the console and of what it orders, which the second migration creates. */
export const consoleTables = {
  /** Who may sign in to the console. */
  console_users: {
    name: 'text primary key not null',
    /** viewer, operator, admin */
    role: 'text not null',
    /** Salt, cost and hash of the password. */
    password: 'text not null',
    created_at: 'integer not null',
    changed_at: 'integer not null',
  },

  /** What opens the console. It is stored as a hash, so that reading the database opens nothing. */
  console_secrets: {
    /** The SHA-256 of the secret; of the signing key, the key itself. */
    id: 'text primary key not null',
    /** link, session, signing */
    purpose: 'text not null',
    user_name: 'text not null',
    role: 'text not null',
    created_at: 'integer not null',
    expires_at: 'integer not null',
  },

  /** What people changed in the console, and who signed in, or failed to. */
  console_audit: {
    id: 'id',
    at: 'integer not null',
    user_name: 'text not null',
    /** Null for somebody who is not signed in. */
    role: 'text',
    /** Null on a Unix socket. */
    address: 'text',
    action: 'text not null',
    target: 'text not null',
    detail: 'text not null',
    /** The rule and its revision that can be undone. */
    rule_id: 'integer',
    revision: 'integer',
  },

  /** What people asked single workers to do. A worker removes the orders that it has taken. */
  worker_orders: {
    id: 'id',
    worker_id: 'text not null',
    /** pause, resume, drain */
    action: 'text not null',
    ordered_at: 'integer not null',
    ordered_by: 'text not null',
  },
} as const;

export const consoleIndexes = [
  'index console_secrets_user on console_secrets (user_name)',
  'index console_secrets_expiry on console_secrets (expires_at)',
  // For what went wrong, which is little among many jobs, and the attempts of a due time.
  "index jobs_not_done on jobs (status, id) where status in ('failed', 'timeout', 'lost', 'cancelled')",
  'index job_requests_of_job on job_requests (of_job) where of_job is not null',
] as const;

/** Columns of `job_rules` that the third migration adds. */
export const operationsRuleColumns = {
  /** A policy: see policies.ts. */
  must_succeed_within: 'text',
} as const;

/** All columns that it adds. Only those above are in the history of a rule. */
export const operationsJobRules = {
  ...operationsRuleColumns,
  /** The same in ms, as it counts for the rule now. Null: nobody waits for a success. */
  must_succeed_ms: 'integer',
  /** The last success, or when the rule or that field was made. */
  succeeded_at: 'integer',
  /** How many of its next runs log at DEBUG. */
  debug_runs: 'integer not null default 0',
} as const;

/** The columns of other tables that it adds. */
export const operationsColumns = {
  job_rules: operationsJobRules,
  job_requests: {
    /** 1 for a run that logs at DEBUG. */
    debug: 'integer not null default 0',
    /** Where the request belongs in a trace: keys of W3C Trace Context as JSON. */
    trace_context: 'text',
  },
  jobs: {
    /** 1 for a run that logs at DEBUG, and so do its further attempts. */
    debug: 'integer not null default 0',
  },
} as const;

/** The tables of the third migration. */
export const operationsTables = {
  /** One row an incident. */
  alarms: {
    id: 'id',
    /** See alarms/kinds.ts. */
    kind: 'text not null',
    /** What it is about, such as a rule or a worker: of one kind and subject, one incident is open. */
    subject: 'text not null',
    text: 'text not null',
    rule_id: 'integer',
    raised_at: 'integer not null',
    /** When it happened last, of what is no state but happens. */
    seen_at: 'integer not null',
    cleared_at: 'integer',
    /** When its message was queued; null while it is silenced. */
    announced_at: 'integer',
    acknowledged_at: 'integer',
    acknowledged_by: 'text',
  },

  /** One row for each message about an incident and each way of delivery. */
  alarm_deliveries: {
    id: 'id',
    alarm_id: 'integer not null references alarms (id) on delete cascade',
    /** mail, webhook, command */
    way: 'text not null',
    /** raised, cleared */
    state: 'text not null',
    attempts: 'integer not null default 0',
    next_at: 'integer not null',
    /** When it was delivered or given up. */
    done_at: 'integer',
    /** What the other side said last. */
    answer: 'text',
  },

  alarm_silences: {
    id: 'id',
    kind: 'text not null',
    /** Null for all of the kind. */
    subject: 'text',
    until: 'integer not null',
    silenced_by: 'text not null',
  },
} as const;

export const operationsIndexes = [
  'unique index alarms_open on alarms (kind, subject) where cleared_at is null',
  'index alarms_cleared on alarms (cleared_at)',
  'index alarm_deliveries_open on alarm_deliveries (next_at) where done_at is null',
  'index alarm_deliveries_alarm on alarm_deliveries (alarm_id)',
  "index jobs_succeeded on jobs (rule_id, end_datetime) where status = 'done'",
  "index jobs_lost on jobs (rule_id, id) where status = 'lost'",
] as const;

/** The unique indexes guarantee one job for each (rule, due time), and for each request. */
export const indexes = [
  'index job_rules_seqno on job_rules (seqno, id)',
  'index job_rules_due on job_rules (next_due_at)',
  'index job_rules_follows on job_rules (follows_rule_id) where follows_rule_id is not null',
  'index rule_changes_rule on rule_changes (rule_id, revision)',
  'index rule_changes_unsigned on rule_changes (rule_id) where how is null',
  'index decisions_rule on decisions (rule_id, id)',
  'unique index decision_summaries_day on decision_summaries (rule_id, day, reason)',
  'index job_requests_open on job_requests (action, priority desc, id) where handled_at is null',
  'index job_requests_later on job_requests (run_at) where handled_at is null and run_at > 0',
  'unique index jobs_rule_due on jobs (rule_id, due_at)',
  'index jobs_rule on jobs (rule_id, id)',
  "index jobs_running on jobs (rule_id) where status = 'running'",
  "index jobs_in_group on jobs (job_group) where status = 'running' and job_group is not null",
  'index job_lines_job on job_lines (job_id, id)',
] as const;

type Value<C extends string> = C extends `text${string}` ? string : number;
type Column<C extends string> = C extends 'id' | `${string} default ${string}`
  ? Generated<Value<C>>
  : C extends `${string} not null${string}`
    ? Value<C>
    : Value<C> | null;
type Tables = typeof tables & typeof consoleTables & typeof operationsTables & typeof operationsColumns;

/** The tables of a site's database, for Kysely. */
export type Database = {
  [T in keyof Tables]: { -readonly [C in keyof Tables[T]]: Column<Tables[T][C] & string> };
};

export type JobRuleRow = Selectable<Database['job_rules']>;
export type JobRow = Selectable<Database['jobs']>;
export type DecisionRow = Selectable<Database['decisions']>;
export type RuleChangeRow = Selectable<Database['rule_changes']>;
export type JobLineRow = Selectable<Database['job_lines']>;
export type WorkerRow = Selectable<Database['workers']>;
export type AlarmRow = Selectable<Database['alarms']>;
export type AlarmDeliveryRow = Selectable<Database['alarm_deliveries']>;
