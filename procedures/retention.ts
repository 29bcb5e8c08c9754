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
  closedProblemDays: 90,
});

let current = defaultRetention;

/**
 * Changes some of the numbers for this process; call it in a file of procedures.
 *
 * @example
 * setRetention({ failedJobDays: 365 });
 * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`) for an unknown name or a number that is none or negative
 */
export function setRetention(changes: Partial<Retention>): void {
  for (const [key, value] of Object.entries(changes)) {
    if (!Object.hasOwn(defaultRetention, key)) {
      const known = Object.keys(defaultRetention).join(', ');
      throw new BadConfigError('setRetention', key, `there is no such number; there are ${known}`);
    }
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
      throw new BadConfigError('setRetention', key, `expected a number from 0 on, got: ${String(value)}`);
    }
  }
  current = Object.freeze({ ...current, ...changes });
}

export function retention(): Retention {
  return current;
}

const dayMs = 86_400_000;

/** The instant, in ms since 1970, that lies so many days before another. */
export function daysBefore(now: Date, days: number): number {
  return Math.round(now.getTime() - days * dayMs);
}
