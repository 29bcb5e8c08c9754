// How long the procedures keep old data.

import { BadConfigError } from '../../src/index.js';

/** Numbers of days, whole or fractional, and numbers of rows. */
export interface Retention {
  /** Jobs that were done, or cancelled by a person. */
  readonly jobDays: number;
  /** The maximum number of these for each rule. */
  readonly jobsPerRule: number;
  /** Jobs that failed, timed out or were lost. */
  readonly failedJobDays: number;
  readonly failedJobsPerRule: number;
  /** Handled requests without a job. */
  readonly requestDays: number;
  /** Who changed what in the console. */
  readonly auditDays: number;
  /** The ledger: why something ran or did not. */
  readonly decisionDays: number;
  readonly decisionsPerRule: number;
  /** The counts of older entries of the ledger, by day. */
  readonly decisionSummaryDays: number;
  /** Messages to users, from when they were seen. */
  readonly seenMessageDays: number;
  /** Mails, from when they were sent or given up. */
  readonly doneMailDays: number;
  /** Pushes, from when they were sent or given up. */
  readonly donePushDays: number;
  /** Problems in the data, from when they were solved. */
  readonly closedProblemDays: number;
}

/** The defaults: a month of jobs, three months of failed jobs and of decisions. */
export const defaultRetention: Retention = Object.freeze({
  jobDays: 30,
  jobsPerRule: 1000,
  failedJobDays: 90,
  failedJobsPerRule: 1000,
  requestDays: 30,
  auditDays: 365,
  decisionDays: 90,
  decisionsPerRule: 2000,
  decisionSummaryDays: 730,
  seenMessageDays: 30,
  doneMailDays: 30,
  donePushDays: 7,
  closedProblemDays: 90,
});

/** Each procedure may have its own values of these. */
const ofRules = [
  'jobDays',
  'jobsPerRule',
  'failedJobDays',
  'failedJobsPerRule',
  'decisionDays',
  'decisionsPerRule',
  'decisionSummaryDays',
] as const;

/** The numbers about the jobs and decisions of a rule. */
export type RuleRetention = Pick<Retention, (typeof ofRules)[number]>;

let current = defaultRetention;
const ofProcedures = new Map<string, Partial<RuleRetention>>();

/**
 * Changes some of the numbers for this process; call it in a file of procedures.
 *
 * @param procedure restricts the change to the rules of this procedure; default: all
 * @example
 * setRetention({ failedJobDays: 365 });
 * setRetention({ jobsPerRule: 50 }, 'fetch_weather');
 * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`) for an unknown name, or a value that is negative or no
 *   number
 */
export function setRetention(changes: Partial<Retention>): void;
export function setRetention(changes: Partial<RuleRetention>, procedure: string): void;
export function setRetention(changes: Partial<Retention>, procedure?: string): void {
  const known = procedure === undefined ? Object.keys(defaultRetention) : ofRules;
  for (const [key, value] of Object.entries(changes)) {
    if (!(known as readonly string[]).includes(key)) {
      const whose = procedure === undefined ? '' : ' of a procedure';
      const names = known.join(', ');
      throw new BadConfigError('setRetention', key, `unknown number${whose}; known are ${names}`);
    }
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
      throw new BadConfigError('setRetention', key, `expected a number, at least 0, got: ${String(value)}`);
    }
  }
  if (procedure === undefined) current = Object.freeze({ ...current, ...changes });
  else ofProcedures.set(procedure, { ...ofProcedures.get(procedure), ...changes });
}

/** @param procedure the procedure of the rules; default: the general numbers */
export function retention(procedure?: string): Retention {
  return procedure === undefined ? current : { ...current, ...ofProcedures.get(procedure) };
}

const dayMs = 86_400_000;

/** The instant some days before another, in ms since 1970. */
export function daysBefore(now: Date, days: number): number {
  return Math.round(now.getTime() - days * dayMs);
}
