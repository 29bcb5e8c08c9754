// Shows rules, jobs and workers, as rows of a table and as JSON.

import { durationText } from '../../base/duration.js';
import { isSuspended } from '../../base/process-owner.js';
import { listenersText } from '../../insight/listener-text.js';
import { parseHealth } from '../../membership/worker-health.js';
import { localTime } from '../../recurrence/time/local-time.js';
import { policyNames } from '../../rules/policies.js';
import type { JobRule } from '../../rules/rule.js';
import { fromJson, overriddenFields, ruleFields } from '../../rules/rule-fields.js';
import { inWords, readable } from '../../rules/rule-words.js';
import type { Job } from '../../runs/job.js';
import type { Failure } from '../../runs/job-table.js';
import type { WorkerRow } from '../../store/schema.js';
import { type Column, leastTime, progressText, rowJson, shortened } from './output.js';

export function ruleJson(rule: JobRule): Record<string, unknown> {
  return {
    id: rule.id,
    name: rule.name,
    procedure: rule.procedure,
    when: inWords(rule),
    every: rule.every,
    everyUnit: rule.everyUnit,
    weekdays: rule.weekdays,
    positions: rule.positions,
    cron: rule.cron,
    start: readable(
      () => rule.recurrence.fields.start,
      () => rule.start,
    ),
    timezone: rule.timezone,
    until: rule.until,
    count: rule.count,
    ...clockChoices(rule),
    logLevel: rule.logLevel,
    ...Object.fromEntries(policyNames.map((name) => [name, rule.policies[name]])),
    fields: Object.fromEntries([...ruleFields.keys()].map((name) => [name, rule.field(name)])),
    overridden: overriddenFields(rule.overrides),
    cancelledAt: rule.cancelledAt,
    cancelledReason: rule.cancelledReason,
    removedAt: rule.removedAt,
    nextRunAt: rule.nextDueAt,
    debugRuns: rule.debugRuns,
  };
}

export const ruleColumns: ReadonlyArray<Column<JobRule>> = [
  { title: '#', cell: (rule) => String(rule.id), align: 'right' },
  { title: 'name', cell: (rule) => rule.name },
  { title: 'procedure', cell: (rule) => rule.procedure, isSpare: true },
  { title: 'every', cell: (rule) => rule.short.replace(/^every /, ''), isSpare: true },
  { title: 'next run at', cell: ruleState, least: leastTime },
  { title: 'when', cell: (rule) => inWords(rule, true) },
];

/** The effective choices at clock changes, including defaults. */
function clockChoices(rule: JobRule): Record<string, unknown> {
  const own = () => {
    const { missingTime, repeatedTime } = rule.recurrence.fields;
    return { missingTime, repeatedTime };
  };
  return readable<Record<string, unknown>>(own, () => ({ missingTime: null, repeatedTime: null }));
}

function ruleState(rule: JobRule): string {
  if (rule.removedAt !== null) return 'never: its procedure is gone';
  if (rule.cancelled) return `cancelled: ${rule.cancelledReason ?? ''}`;
  if (rule.nextDueAt !== null) return rule.localTime(rule.nextDueAt);
  if (rule.policies.runAfter !== '') return 'after that';
  return rule.isExcludedAfter(new Date()) ? 'never: all is excluded' : 'never again';
}

export function jobColumns(localTime: (instant: Date) => string, now: number): ReadonlyArray<Column<Job>> {
  return [
    { title: 'job', cell: (job) => String(job.id), align: 'right' },
    { title: 'rule', cell: (job) => `#${job.ruleId}`, align: 'right' },
    { title: 'procedure', cell: (job) => job.procedure },
    { title: 'started', cell: (job) => localTime(job.startDatetime), least: leastTime },
    {
      title: 'took',
      cell: (job) => durationText((job.endDatetime?.getTime() ?? now) - job.startDatetime.getTime()),
      align: 'right',
    },
    { title: 'status', cell: (job) => job.status },
    { title: 'message', cell: firstLine },
  ];
}

/** How a job ended, or its progress, in at most 80 characters. */
export function jobHeadline(job: Job): string {
  return shortened(firstLine(job), 80);
}

function firstLine(job: Job): string {
  if (job.status === 'running' && job.progress !== null) return progressText(job.progress);
  return job.message.split('\n', 1)[0] ?? '';
}

/** `failed: rule #3 <Procedures.report> 4 times, last as job 812 at …, failed: Error: no stock` */
export function failureText({ times, last }: Failure, timezone: string): string {
  const often = times === 1 ? '' : `${times} times, last `;
  const at = localTime(last.startDatetime, timezone);
  const rule = `rule #${last.ruleId} <Procedures.${last.procedure}>`;
  return `failed: ${rule} ${often}as job ${last.id} at ${at}, ${last.status}: ${jobHeadline(last)}`;
}

/** A worker with the health that it reported. */
export function workerJson({ health, procedures, channels, ...worker }: WorkerRow): Record<string, unknown> {
  return {
    ...rowJson(worker),
    channels: channels.split(' '),
    procedures: fromJson(procedures) ?? null,
    health: parseHealth(health),
  };
}

export function workerColumns(
  localTime: (instant: Date) => string,
  now: number,
): ReadonlyArray<Column<WorkerRow>> {
  return [
    { title: 'worker', cell: (worker) => worker.id },
    { title: 'pid', cell: (worker) => String(worker.pid), align: 'right' },
    { title: 'channels', cell: (worker) => worker.channels },
    { title: 'started', cell: (worker) => localTime(new Date(worker.started_at)), least: leastTime },
    { title: 'heartbeat', cell: (worker) => `${durationText(now - worker.heartbeat_at)} ago` },
    { title: 'version', cell: (worker) => worker.version, isSpare: true },
    { title: 'listeners', cell: (worker) => suspension(worker) ?? listenersText(worker, now) },
  ];
}

/** A table has room only for the command that continues the worker. */
function suspension({ host, pid, pid_start }: WorkerRow): string | null {
  return isSuspended({ host, pid, start: pid_start }) ? `suspended: kill -CONT ${pid}` : null;
}
