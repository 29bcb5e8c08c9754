// The tables of a site's database. Times are milliseconds since 1970 UTC; booleans are 0 and 1.

import type { Generated, Selectable } from 'kysely';

export interface Database {
  job_rules: JobRuleTable;
  jobs: JobTable;
  job_lines: JobLineTable;
  job_requests: JobRequestTable;
  decisions: DecisionTable;
  decision_summaries: DecisionSummaryTable;
  rule_changes: RuleChangeTable;
  workers: WorkerTable;
  leases: LeaseTable;
  start_orders: StartOrderTable;
  switch_offs: SwitchOffTable;
}

/** When to run a procedure. Fields are null where the procedure's suggestion counts. */
export interface JobRuleTable {
  id: Generated<number>;
  /** Position in lists, as the original's sequenced tables have it. */
  seqno: number;
  name: string;
  procedure: string;
  /** The procedure's suggestion as JSON, kept so that a rule can be read where the procedure is not loaded. */
  suggestion: string;
  every: number | null;
  every_unit: string | null;
  /** JSON list of weekday names. */
  weekdays: string | null;
  /** JSON list of whole numbers. */
  positions: string | null;
  /** A cron expression, where `every_unit` is `cron`. */
  cron: string | null;
  /** Wall time in the rule's zone, `2026-11-24T20:00:00`. */
  start_datetime: string | null;
  timezone: string | null;
  /** Wall time; empty for none at all. */
  until: string | null;
  /** 0 for none at all. */
  count: number | null;
  /** shifted, skipped, at-jump */
  missing_time: string | null;
  /** first, second, both */
  repeated_time: string | null;
  log_level: string | null;
  // The policies: see policies.ts.
  on_failure: string | null;
  timeout_seconds: number | null;
  misfire: string | null;
  misfire_window_seconds: number | null;
  overlap: string | null;
  grace_seconds: number | null;
  retries: number | null;
  retry_delay_seconds: number | null;
  cancel_after: number | null;
  on_lost: string | null;
  run_in: string | null;
  memory_mb: number | null;
  priority: number | null;
  job_group: string | null;
  group_limit: number | null;
  jitter_seconds: number | null;
  /** JSON list. */
  excluded: string | null;
  on_excluded: string | null;
  run_after: string | null;
  /** How many runs in a row have failed, each with all its attempts. */
  failures_in_row: Generated<number>;
  // What a look for due rules has to know without reading them: the priority, the group and the place that count, and the rule whose
  // runs this one follows.
  due_priority: Generated<number>;
  due_group: Generated<string>;
  /** Where its runs take place, as `hostKey` of src/runs/host.ts writes it; empty for the worker's own event loop. */
  due_host: Generated<string>;
  follows_rule_id: number | null;
  /** When the rule was cancelled; such a rule is ignored until it is resumed. */
  cancelled_at: number | null;
  /** `failure` of a run, which the next set-up of the rules forgives, or a `person`, which it does not. */
  cancelled_by: string | null;
  cancelled_reason: string | null;
  /** When the procedure was found to be gone; the rule stays for its history. */
  removed_at: number | null;
  next_due_at: number | null;
  created_at: number;
  /**
   * Grows with each change of the rule, whoever makes it; not when it comes due, fails or goes on. A rule of the same
   * revision is the same but for `next_due_at` and `failures_in_row`, so what was read of it before still holds.
   */
  revision: Generated<number>;
}

/** One run. A row a (rule, due time), or a (request). */
export interface JobTable {
  id: Generated<number>;
  rule_id: number;
  procedure: string;
  due_at: number | null;
  request_id: number | null;
  start_datetime: number;
  end_datetime: number | null;
  /** running, done, failed, cancelled, timeout, lost */
  status: string;
  message: string;
  progress: string | null;
  worker_id: string;
  /** 1, and one more for each attempt after a failure or a loss. */
  attempt: Generated<number>;
  /** JSON: what it was asked for with. */
  args: string | null;
  /** JSON: what it, or the attempt before it, wants to be given when it is tried again. */
  checkpoint: string | null;
  /** What ended it, in a word or two: `threw`, `exit 3`, `SIGKILL`, `out of memory`; null where the status says all. */
  cause: string | null;
  /** inline, thread or process; null for inline, as before there were others. */
  run_in: string | null;
  job_group: string | null;
  /** Processor time of its thread or process, and the most memory that it had in bytes; null where it had none of its own, or nobody can tell. */
  cpu_ms: number | null;
  memory_bytes: number | null;
}

export interface JobLineTable {
  id: Generated<number>;
  job_id: number;
  logged_at: number;
  level: string;
  text: string;
}

/** What a person asked for: a run now, or the end of a run. */
export interface JobRequestTable {
  id: Generated<number>;
  rule_id: number;
  action: string;
  requested_at: number;
  requested_by: string;
  /** When a worker took it up, or it was withdrawn. */
  handled_at: number | null;
  outcome: string | null;
  /** Not before: a further attempt waits. */
  run_at: Generated<number>;
  /** Which attempt the run is. */
  attempt: Generated<number>;
  /** Those with the higher number come first. */
  priority: Generated<number>;
  /** JSON, for the run. */
  args: string | null;
  checkpoint: string | null;
  /** The job of which it is a further attempt, that it follows, or that is to be ended. */
  of_job: number | null;
  /** The rule's group when it was asked for; empty for none. */
  job_group: Generated<string>;
}

/** The ledger: why something ran or did not. */
export interface DecisionTable {
  id: Generated<number>;
  rule_id: number;
  due_at: number | null;
  decided_at: number;
  worker_id: string;
  reason: string;
  detail: string;
  /** The last of several due times that are told together; null for one. */
  due_until: number | null;
  /** How many due times it tells of. */
  times: Generated<number>;
  /** The request, where there was one. */
  request_id: number | null;
  /** The job, where neither due time nor request tell which. */
  job_id: number | null;
}

/** The ledger's old entries: a row a rule, day and reason. */
export interface DecisionSummaryTable {
  rule_id: number;
  /** In the rule's zone, `2026-11-24`. */
  day: string;
  reason: string;
  /** How many due times, or what else was decided upon. */
  times: number;
  first_at: number;
  last_at: number;
  /** What the last of the entries told. */
  last_detail: string;
}

/**
 * The history of the rules: a row for each field that a change changed. A trigger writes it whoever makes the change, and
 * linod signs its own.
 */
export interface RuleChangeTable {
  id: Generated<number>;
  rule_id: number;
  /** Which change of the rule it was: the rule's revision since then. */
  revision: number;
  /** A column of `job_rules`, or `created`. */
  field: string;
  value_before: string | null;
  value_after: string | null;
  changed_at: number;
  /** The person or worker; of a change in the database who was connected, if it knows. */
  changed_by: string | null;
  /** See `ChangeWay` in tasks/rule-history.ts; null for a change in the database that nobody has looked after yet. */
  how: string | null;
}

export interface WorkerTable {
  id: string;
  host: string;
  pid: number;
  /** What tells this process from a later one with the same pid. */
  pid_start: string;
  channels: string;
  version: string;
  started_at: number;
  heartbeat_at: number;
  stopped_at: number | null;
  /** Why, in a clause for people. */
  stop_reason: string | null;
  /** How it was doing at its last beat: a `WorkerHealth` as JSON, empty before the first. */
  health: Generated<string>;
  /** JSON list of the names of the procedures that it has; empty where an older version did not say. */
  procedures: Generated<string>;
  /** How many jobs it runs side by side. */
  max_jobs: number | null;
}

/** Something that one worker at a time may do. */
export interface LeaseTable {
  name: string;
  worker_id: string;
  fence: number;
  until: number;
}

/** A coroutine that `initiate_linod` ordered: a restarted worker goes on with it by itself. */
export interface StartOrderTable {
  name: string;
  ordered_at: number;
  ordered_by: string;
}

/** A time during which the site was switched off. */
export interface SwitchOffTable {
  id: Generated<number>;
  since: number;
  until: number | null;
}

export type JobRuleRow = Selectable<JobRuleTable>;
export type JobRow = Selectable<JobTable>;
export type RuleChangeRow = Selectable<RuleChangeTable>;
export type JobLineRow = Selectable<JobLineTable>;
export type WorkerRow = Selectable<WorkerTable>;
