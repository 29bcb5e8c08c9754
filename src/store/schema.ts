// The columns of a site's tables: the first migration creates them from here, and the types follow from them.
//
// The types are those of SQLite; PostgreSQL gets its words for them. Times are milliseconds since 1970 UTC, booleans 0 and 1.
// After the first release a column is added by a migration of its own, and to its type in `Database`.

import type { Generated, Selectable } from 'kysely';

/**
 * What makes a rule another one: a change of these columns goes into the rules' history. They are null where the procedure's
 * suggestion counts.
 */
export const ruleColumns = {
  /** Position in lists, as the original's sequenced tables have it. */
  seqno: 'integer not null',
  name: 'text not null',
  procedure: 'text not null',
  /** The procedure's suggestion as JSON, kept so that a rule can be read where the procedure is not loaded. */
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
  /** Wall time; empty for none at all. */
  until: 'text',
  /** 0 for none at all. */
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
  /** When the rule was cancelled; such a rule is ignored until it is resumed. */
  cancelled_at: 'integer',
  /** `failure` of a run, which the next set-up of the rules forgives, or a `person`, which it does not. */
  cancelled_by: 'text',
  cancelled_reason: 'text',
  /** When the procedure was found to be gone; the rule stays for its history. */
  removed_at: 'integer',
} as const;

/** All tables; `id` numbers its rows by itself. */
export const tables = {
  /** When to run a procedure. */
  job_rules: {
    id: 'id',
    ...ruleColumns,
    next_due_at: 'integer',
    /** How many runs in a row have failed, each with all its attempts. */
    failures_in_row: 'integer not null default 0',
    // What a poll has to know of rules without reading them, and the rule whose runs this one follows.
    due_priority: 'integer not null default 0',
    due_group: "text not null default ''",
    follows_rule_id: 'integer',
    /**
     * Grows with each change of the rule, whoever makes it; not when it comes due, fails or goes on. A rule of the same
     * revision is the same but for `next_due_at` and `failures_in_row`, so what was read of it before still holds.
     */
    revision: 'integer not null default 0',
  },

  /** What a person asked for: a run now, or the end of a run. */
  job_requests: {
    id: 'id',
    rule_id: 'integer not null references job_rules (id)',
    action: 'text not null',
    requested_at: 'integer not null',
    requested_by: 'text not null',
    /** When a worker took it up, or it was withdrawn. */
    handled_at: 'integer',
    outcome: 'text',
    /** Not before: a further attempt waits. */
    run_at: 'integer not null default 0',
    /** Which attempt the run is. */
    attempt: 'integer not null default 1',
    /** Those with the higher number come first. */
    priority: 'integer not null default 0',
    /** JSON, for the run. */
    args: 'text',
    checkpoint: 'text',
    /** The job of which it is a further attempt, that it follows, or that is to be ended. */
    of_job: 'integer',
    /** The rule's group when it was asked for; empty for none. */
    job_group: "text not null default ''",
  },

  /** One run. A row a (rule, due time), or a (request). */
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
    /** JSON: what it was asked for with. */
    args: 'text',
    /** JSON: what it, or the attempt before it, wants to be given when it is tried again. */
    checkpoint: 'text',
    /** What ended it, in a word or two: `threw`, `exit 3`, `SIGKILL`, `out of memory`; null where the status says all. */
    cause: 'text',
    /** inline, thread or process; null for inline, as before there were others. */
    run_in: 'text',
    job_group: 'text',
    /** Processor time of its thread or process, and the most memory that it had in bytes; null where it had none of its own, or nobody can tell. */
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
    /** The last of several due times that are told together; null for one. */
    due_until: 'integer',
    /** How many due times it tells of. */
    times: 'integer not null default 1',
    /** The request, where there was one. */
    request_id: 'integer',
    /** The job, where neither due time nor request tell which. */
    job_id: 'integer',
  },

  /** The ledger's old entries: a row a rule, day and reason. */
  decision_summaries: {
    rule_id: 'integer not null references job_rules (id)',
    /** In the rule's zone, `2026-11-24`. */
    day: 'text not null',
    reason: 'text not null',
    /** How many due times, or what else was decided upon. */
    times: 'integer not null',
    first_at: 'integer not null',
    last_at: 'integer not null',
    /** What the last of the entries told. */
    last_detail: 'text not null',
  },

  /**
   * The history of the rules: a row for each field that a change changed. A trigger writes it whoever makes the change, and
   * linod signs its own.
   */
  rule_changes: {
    id: 'id',
    rule_id: 'integer not null',
    /** Which change of the rule it was: the rule's revision since then. */
    revision: 'integer not null',
    /** A column of `job_rules`, or `created`. */
    field: 'text not null',
    value_before: 'text',
    value_after: 'text',
    changed_at: 'integer not null',
    /** The person or worker; of a change in the database who was connected, if it knows. */
    changed_by: 'text',
    /** See `ChangeWay` in tasks/rule-history.ts; null for a change in the database that nobody has looked after yet. */
    how: 'text',
  },

  workers: {
    id: 'text primary key not null',
    host: 'text not null',
    pid: 'integer not null',
    /** What tells this process from a later one with the same pid. */
    pid_start: 'text not null',
    channels: 'text not null',
    version: 'text not null',
    started_at: 'integer not null',
    heartbeat_at: 'integer not null',
    stopped_at: 'integer',
    /** Why, in a clause for people. */
    stop_reason: 'text',
    /** How it was doing at its last beat: a `WorkerHealth` as JSON, empty before the first. */
    health: "text not null default ''",
    /** JSON list of the names of the procedures that it has; empty where an older version did not say. */
    procedures: "text not null default ''",
    /** How many jobs it runs side by side. */
    max_jobs: 'integer',
  },

  /** Something that one worker at a time may do. */
  leases: {
    name: 'text primary key not null',
    worker_id: 'text not null',
    fence: 'integer not null',
    until: 'integer not null',
  },

  /** A coroutine that `initiate_linod` ordered: a restarted worker goes on with it by itself. */
  start_orders: {
    name: 'text primary key not null',
    ordered_at: 'integer not null',
    ordered_by: 'text not null',
  },
} as const;

/** The unique ones carry promises: one job a (rule, due time) and a request. */
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
type Tables = typeof tables;

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
