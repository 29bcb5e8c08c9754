// How rules, jobs and workers are shown: as rows of a table, and as JSON.

import { parseHealth } from '../daemon/health.js';
import { durationText } from '../duration.js';
import type { WorkerRow } from '../store/schema.js';
import type { Job } from '../tasks/job.js';
import type { JobRule } from '../tasks/rule.js';
import { listenersText } from './health-view.js';
import type { Column } from './output.js';

export function ruleJson(rule: JobRule): Record<string, unknown> {
  return {
    id: rule.id,
    name: rule.name,
    procedure: rule.procedure,
    every: rule.every,
    everyUnit: rule.everyUnit,
    weekdays: rule.effective('weekdays'),
    positions: rule.effective('positions'),
    start: rule.start,
    timezone: rule.timezone,
    until: rule.until,
    count: rule.count,
    logLevel: rule.logLevel,
    onFailure: rule.onFailure,
    timeoutSeconds: rule.timeoutMs / 1000,
    overridden: Object.entries(rule.overrides).flatMap(([field, value]) => (value === null ? [] : [field])),
    cancelledAt: rule.cancelledAt,
    cancelledReason: rule.cancelledReason,
    removedAt: rule.removedAt,
    nextRunAt: rule.nextDueAt,
  };
}

export const ruleColumns: ReadonlyArray<Column<JobRule>> = [
  { title: '#', cell: (rule) => String(rule.id), align: 'right' },
  { title: 'name', cell: (rule) => rule.name },
  { title: 'procedure', cell: (rule) => rule.procedure },
  { title: 'every', cell: (rule) => `${rule.every} ${rule.everyUnit}` },
  { title: 'next run at', cell: ruleState },
];

function ruleState(rule: JobRule): string {
  if (rule.removedAt !== null) return 'never: its procedure is gone';
  if (rule.cancelled) return `cancelled: ${rule.cancelledReason ?? ''}`;
  return rule.nextDueAt === null ? 'never again' : rule.localTime(rule.nextDueAt);
}

export function jobColumns(localTime: (instant: Date) => string, now: number): ReadonlyArray<Column<Job>> {
  return [
    { title: 'job', cell: (job) => String(job.id), align: 'right' },
    { title: 'rule', cell: (job) => `#${job.ruleId}`, align: 'right' },
    { title: 'procedure', cell: (job) => job.procedure },
    { title: 'started', cell: (job) => localTime(job.startDatetime) },
    {
      title: 'took',
      cell: (job) => durationText((job.endDatetime?.getTime() ?? now) - job.startDatetime.getTime()),
      align: 'right',
    },
    { title: 'status', cell: (job) => job.status },
    { title: 'message', cell: jobHeadline },
  ];
}

function jobHeadline(job: Job): string {
  if (job.status === 'running' && job.progress !== null) return progressText(job);
  const line = job.message.split('\n', 1)[0] ?? '';
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}

export function progressText({ progress }: Pick<Job, 'progress'>): string {
  if (progress === null) return '';
  const { done, total, text } = progress;
  const share =
    total === null || total <= 0
      ? String(done)
      : `${done} of ${total} (${Math.floor((100 * done) / total)} %)`;
  return text === null ? share : `${share} ${text}`;
}

/** A worker with how it said it was doing. */
export function workerJson({ health, ...worker }: WorkerRow): Record<string, unknown> {
  return { ...worker, health: parseHealth(health) };
}

export function workerColumns(
  localTime: (instant: Date) => string,
  now: number,
): ReadonlyArray<Column<WorkerRow>> {
  return [
    { title: 'worker', cell: (worker) => worker.id },
    { title: 'pid', cell: (worker) => String(worker.pid), align: 'right' },
    { title: 'channels', cell: (worker) => worker.channels },
    { title: 'started', cell: (worker) => localTime(new Date(worker.started_at)) },
    { title: 'last heard of', cell: (worker) => `${durationText(now - worker.heartbeat_at)} ago` },
    { title: 'version', cell: (worker) => worker.version },
    { title: 'listeners', cell: (worker) => listenersText(worker, now) },
  ];
}
