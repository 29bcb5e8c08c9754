// How long the procedures keep what they would delete.

import { BadConfigError } from '../src/index.js';

/** Whole or broken numbers of days, and numbers of rows. */
export interface Retention {
  /** Jobs that ended well or were cancelled by a person. */
  readonly jobDays: number;
  /** The newest of these that are kept of each rule, however many the days would allow. */
  readonly jobsPerRule: number;
  /** Jobs that failed, ran into their time-out or were lost. */
  readonly failedJobDays: number;
  readonly failedJobsPerRule: number;
  /** Requests that were handled and that no job refers to any more. */
  readonly requestDays: number;
  /** The ledger: why something ran or did not. */
  readonly decisionDays: number;
  readonly decisionsPerRule: number;
  /** What is left of older entries of the ledger: how often what happened on which day. */
  readonly decisionSummaryDays: number;
  /** Messages to users, counted from when they were seen. */
  readonly seenMessageDays: number;
  /** Mails, counted from when they were sent or given up. */
  readonly doneMailDays: number;
  /** Pushes, counted from when they were sent or given up. */
  readonly donePushDays: number;
  /** Problems in the data, counted from when they were gone. */
  readonly closedProblemDays: number;
}

/** What is kept unless `setRetention` says otherwise. The numbers hold a month of daily jobs, three of failures and of decisions. */
export const defaultRetention: Retention = Object.freeze({
  jobDays: 30,
  jobsPerRule: 1000,
  failedJobDays: 90,
  failedJobsPerRule: 1000,
  requestDays: 30,
  decisionDays: 90,
  decisionsPerRule: 2000,
  decisionSummaryDays: 730,
  seenMessageDays: 30,
  doneMailDays: 30,
  donePushDays: 7,
  closedProblemDays: 90,
});

/** Of these, each procedure may have its own. */
const ofRules = [
  'jobDays',
  'jobsPerRule',
  'failedJobDays',
  'failedJobsPerRule',
  'decisionDays',
  'decisionsPerRule',
  'decisionSummaryDays',
] as const;

/** The numbers that are about the jobs and decisions of a rule. */
export type RuleRetention = Pick<Retention, (typeof ofRules)[number]>;

let current = defaultRetention;
const ofProcedures = new Map<string, Partial<RuleRetention>>();

/**
 * Changes some of the numbers for this process; call it in a file of procedures.
 *
 * @param procedure the name of a procedure, for whose rules alone the numbers are to be; default: all
 * @example
 * setRetention({ failedJobDays: 365 });
 * setRetention({ jobsPerRule: 50 }, 'fetch_weather');
 * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`) for an unknown name or a number that is none or negative
 */
export function setRetention(changes: Partial<Retention>): void;
export function setRetention(changes: Partial<RuleRetention>, procedure: string): void;
export function setRetention(changes: Partial<Retention>, procedure?: string): void {
  const known = procedure === undefined ? Object.keys(defaultRetention) : ofRules;
  for (const [key, value] of Object.entries(changes)) {
    if (!(known as readonly string[]).includes(key)) {
      const whose = procedure === undefined ? '' : ' of a procedure';
      const names = known.join(', ');
      throw new BadConfigError('setRetention', key, `there is no such number${whose}; there are ${names}`);
    }
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
      throw new BadConfigError('setRetention', key, `expected a number from 0 on, got: ${String(value)}`);
    }
  }
  if (procedure === undefined) current = Object.freeze({ ...current, ...changes });
  else ofProcedures.set(procedure, { ...ofProcedures.get(procedure), ...changes });
}

/** @param procedure whose rules it is about; default: none in particular */
export function retention(procedure?: string): Retention {
  return procedure === undefined ? current : { ...current, ...ofProcedures.get(procedure) };
}

const dayMs = 86_400_000;

/** The instant, in ms since 1970, that lies so many days before another. */
export function daysBefore(now: Date, days: number): number {
  return Math.round(now.getTime() - days * dayMs);
}
