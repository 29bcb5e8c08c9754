// The public names of `linod`. What is not listed here is free to change.

export { QueryCreator, sql } from 'kysely';
export {
  type ActorContext,
  JobRules,
  Jobs,
  JobsByRule,
  openTasks,
  SetupTasks,
  Workers,
} from './actors.js';
export { type Choice, ChoiceList } from './choices.js';
export { BadConfigError, LinodError, NoSiteError, UsageError } from './errors.js';
export { localTime } from './local-time.js';
export { type LevelName, type LogLevel, LogLevels, parseLevel } from './log/levels.js';
export type { Policies } from './policies.js';
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
} from './procedure.js';
export { type PushOrder, type PushQueue, registerPushQueue } from './push.js';
export {
  type ClockNote,
  describe,
  InvalidRecurrenceError,
  NotationError,
  parseWhen,
  Recurrence,
  type RecurrenceFields,
  type Timing,
} from './recurrence.js';
export { type Asked, CancelJob, RunJob } from './run-job.js';
export { RunAbortedError } from './runs/stop.js';
export { RunLostError } from './runs/writes.js';
export { type SchemaProblem, schemaProblems } from './schema-problem.js';
export {
  defineSite,
  findSiteDirectory,
  loadSite,
  type Settings,
  type Site,
  type SiteConfig,
} from './site.js';
export { idColumn } from './store/dialect.js';
export type { AnyTables, Migration, MigrationSet } from './store/migrate.js';
export { registerMigrations } from './store/migrations/index.js';
export type { Database } from './store/schema.js';
export { openStore, type Store } from './store/store.js';
export { type TransactOptions, transact } from './store/transact.js';
export { type CreateTasksOptions, createTasks, type SiteTasks } from './tasks/create-tasks.js';
export type { Job, JobStatus, Progress } from './tasks/job.js';
export type { JobFilter, Jobs as JobTable } from './tasks/jobs.js';
export type { BaseRequest, RequestOptions, RunRequestOptions } from './tasks/request.js';
export type { JobRequest } from './tasks/requests.js';
export type { JobRule } from './tasks/rule.js';
export { AmbiguousRuleError, activeRuleOf, UnknownRuleError } from './tasks/rule-named.js';
export type { RuleChanges, Rules, SyncReport } from './tasks/rules.js';
export { Tasks } from './tasks/tasks.js';
export { type DueTimeStory, dueTimeStory } from './why/due-time-story.js';
export { type RuleStory, ruleStory, type StoryOptions } from './why/rule-story.js';
