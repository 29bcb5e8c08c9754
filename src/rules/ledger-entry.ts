// An entry of the ledger: what became of due times, one or several in a row.

import type { Reason } from './reasons.js';

/** A start up to this long after the due time is on time. */
export const lateAfterMs = 5000;
/** Maximum count of due times: a rule with a period of one second may have been off for a year. */
export const maxCounted = 1000;

/** A line of the ledger: what became of one due time, or of several in a row. */
export interface Entry {
  readonly reason: Reason;
  /** Null for what has no due time. In ms since 1970, as all times here. */
  readonly dueAt: number | null;
  /** The last of several due times, and how many they are. */
  readonly dueUntil: number | null;
  readonly times: number;
  /** A clause for people, for example `by 3 h 2 min: no worker ran the rules then`. */
  readonly detail: string;
}

/** The part of a rule that knows its due times. */
interface DueRule {
  dueAfter(instant: Date): Date | null;
}

/** The first due time that is not before an instant. */
export function dueFrom(rule: DueRule, instant: number): number | null {
  return rule.dueAfter(new Date(instant - 1))?.getTime() ?? null;
}

/** Summarises the due times from `first` up to an instant. The count stops at {@link maxCounted}. */
export function passedBetween(
  rule: DueRule,
  first: number,
  until: number,
): Pick<Entry, 'dueAt' | 'dueUntil' | 'times'> {
  let last = first;
  for (let times = 1; ; times++) {
    if (times === maxCounted) return { dueAt: first, dueUntil: until, times };
    const next = dueFrom(rule, last + 1);
    if (next === null || next > until) return { dueAt: first, dueUntil: times === 1 ? null : last, times };
    last = next;
  }
}
