// A job: the history of one run.

import type { JobRow } from '../store/schema.js';

/**
 * running; done; failed: the procedure threw; cancelled: a person or the worker's stop ended it; timeout: it ran
 * too long; lost: its worker died or hung.
 */
export type JobStatus = 'running' | 'done' | 'failed' | 'cancelled' | 'timeout' | 'lost';

export const jobStatuses: readonly JobStatus[] = [
  'running',
  'done',
  'failed',
  'cancelled',
  'timeout',
  'lost',
];

/** How far a run has come. */
export interface Progress {
  readonly done: number;
  readonly total: number | null;
  readonly text: string | null;
}

export interface Job {
  readonly id: number;
  readonly ruleId: number;
  readonly procedure: string;
  /** The time that it was due; null for a run that a person asked for. */
  readonly dueAt: Date | null;
  readonly requestId: number | null;
  readonly startDatetime: Date;
  readonly endDatetime: Date | null;
  readonly status: JobStatus;
  /** How it ended, in words; the stack when it failed. */
  readonly message: string;
  readonly progress: Progress | null;
  readonly workerId: string;
}

export function jobFromRow(row: JobRow): Job {
  return {
    id: row.id,
    ruleId: row.rule_id,
    procedure: row.procedure,
    dueAt: row.due_at === null ? null : new Date(row.due_at),
    requestId: row.request_id,
    startDatetime: new Date(row.start_datetime),
    endDatetime: row.end_datetime === null ? null : new Date(row.end_datetime),
    status: row.status as JobStatus,
    message: row.message,
    progress: row.progress === null ? null : (JSON.parse(row.progress) as Progress),
    workerId: row.worker_id,
  };
}
