// The public names of `linod`. What is not listed here is free to change.

export { QueryCreator, sql } from 'kysely';
export { type Asked, CancelJob, RunJob } from './actors/run-job.js';
export { type CreateTasksOptions, createTasks, type SiteTasks } from './actors/site-tasks.js';
export {
  type ActorContext,
  JobRules,
  Jobs,
  JobsByRule,
  openTasks,
  SetupTasks,
  Workers,
} from './actors/tables.js';
export { type Choice, ChoiceList } from './base/choices.js';
export { BadConfigError, LinodError, NoSiteError, UsageError } from './base/errors.js';
export { type LevelName, type LogLevel, LogLevels, parseLevel } from './base/log-levels.js';
export { type SchemaProblem, schemaProblems } from './base/schema-problem.js';
export { type ConsoleOutbox, registerConsoleOutbox } from './console/outbox.js';
export { type PushOrder, type PushQueue, registerPushQueue } from './consumers/push-queue.js';
export { type DueTimeStory, dueTimeStory } from './insight/why/due-time-story.js';
export { type RuleStory, ruleStory, type StoryOptions } from './insight/why/rule-story.js';
export {
  type ClockNote,
  describe,
  InvalidRecurrenceError,
  NotationError,
  parseWhen,
  Recurrence,
  type RecurrenceFields,
  type Timing,
} from './recurrence/recurrence.js';
export { localTime } from './recurrence/time/local-time.js';
export type { BaseRequest, RequestOptions, RunRequestOptions } from './rules/base-request.js';
export { AmbiguousRuleError, activeRuleOf, UnknownRuleError } from './rules/find-rule.js';
export type { Policies } from './rules/policies.js';
export {
  type DailyOptions,
  DuplicateProcedureError,
  InvalidProcedureError,
  Procedure,
  type ProcedureFunction,
  Procedures,
  type ScheduleOptions,
  type Suggestion,
  schedule,
  scheduleDaily,
  scheduleOften,
  type WhenOptions,
} from './rules/procedure.js';
export type { JobRule } from './rules/rule.js';
export type { RuleChanges, Rules, SyncReport } from './rules/site-rules.js';
export type { Job, JobStatus, Progress } from './runs/job.js';
export type { JobFilter, Jobs as JobTable } from './runs/job-table.js';
export { RunAbortedError } from './runs/run-stop.js';
export { RunLostError } from './runs/run-writes.js';
export type { JobRequest } from './scheduler/requests.js';
export { Tasks } from './scheduler/tasks.js';
export { parseMailUrl } from './site/mail-url.js';
export {
  type ConsoleUser,
  defineSite,
  findSiteDirectory,
  loadSite,
  type Settings,
  type Site,
  type SiteConfig,
} from './site/site.js';
export { idColumn } from './store/dialect.js';
export type { AnyTables, Migration, MigrationSet } from './store/migrate.js';
export { registerMigrations } from './store/migrations/index.js';
export type { Database } from './store/schema.js';
export { openStore, type Store } from './store/store.js';
export { type TransactOptions, transact } from './store/transact.js';
