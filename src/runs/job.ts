// A job: the history of one run.

import { UsageError } from '../base/errors.js';
import type { Policies } from '../rules/policies.js';
import type { JobRow } from '../store/schema.js';

/**
 * running; done; failed: the procedure threw; cancelled: a person, or the next run of its rule, ended it;
 * timeout: it ran too long; lost: its worker stopped, died or hung.
 */
export const jobStatuses = ['running', 'done', 'failed', 'cancelled', 'timeout', 'lost'] as const;

export type JobStatus = (typeof jobStatuses)[number];

/** How far a run has come. */
export interface Progress {
  readonly done: number;
  readonly total: number | null;
  readonly text: string | null;
}

/** Why a run was lost whose worker was stopped. */
export const interrupted = 'interrupted by a restart';

/** The cause of a run on the worker's own event loop that was given up: its code may still be going on. */
export const leftBehind = 'left behind';

/** How a run ended. */
export interface Outcome {
  readonly status: Exclude<JobStatus, 'running'>;
  /** How, in words; the stack when it failed. */
  readonly message: string;
  /** What ended it, in a word or two: `threw`, `exit 3`, `SIGKILL`; null where the status says all. */
  readonly cause?: string | null;
  /** Of a run in a thread or process of its own. */
  readonly cpuMs?: number | null;
  readonly memoryBytes?: number | null;
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
  /** 1, and one more for each attempt after a failure or a loss. */
  readonly attempt: number;
  /** What it was asked for with; null for nothing. */
  readonly args: unknown;
  /** What the attempt before it left for it, or it for the next one; null for nothing. */
  readonly checkpoint: unknown;
  /** What ended it, in a word or two; null where the status says all. */
  readonly cause: string | null;
  readonly runIn: Policies['runIn'];
  /** Whether it logs at DEBUG, whatever the levels say. */
  readonly debug: boolean;
  /**
   * Processor time and the most memory of a run that had a thread or a process of its own, where they are
   * known.
   */
  readonly cpuMs: number | null;
  readonly memoryBytes: number | null;
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
    attempt: row.attempt,
    args: fromJson(row.args),
    checkpoint: fromJson(row.checkpoint),
    cause: row.cause,
    debug: row.debug === 1,
    runIn: (row.run_in ?? 'inline') as Policies['runIn'],
    cpuMs: row.cpu_ms,
    memoryBytes: row.memory_bytes,
  };
}

function fromJson(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}

/** What a run is handed, or leaves for the next attempt, may be so long as JSON. */
const maxJsonBytes = 1024 * 1024;

/**
 * A value as the JSON that a job keeps; null for none.
 *
 * @throws UsageError (`LINOD_ERR_USAGE`) for what JSON cannot say, or more than 1 MiB
 */
export function jsonText(what: string, value: unknown): string | null {
  if (value === undefined || value === null) return null;
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new UsageError(`${what} cannot be kept as JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (text === undefined) throw new UsageError(`${what} cannot be kept as JSON: it is a ${typeof value}`);
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxJsonBytes) return text;
  throw new UsageError(`${what} is too large: ${bytes} bytes as JSON, and ${maxJsonBytes} are allowed`);
}
