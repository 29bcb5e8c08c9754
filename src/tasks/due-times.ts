// The due times of a rule: those of its recurrence, without or behind what is excluded, moved by its jitter.

import type { Policies } from '../policies.js';
import { AdmittedTimes } from '../recurrence/admitted-times.js';
import { Exclusions, excludedRule, isExcludedList } from '../recurrence/exclusions.js';
import { Jitter } from '../recurrence/jitter.js';
import type { Occurrences } from '../recurrence/occurrences.js';
import { InvalidRecurrenceError, type Recurrence } from '../recurrence.js';
import type { Entry } from './decide.js';
import { notesBetween } from './due-notes.js';
import { type DueEntry, dueTable } from './due-table.js';

export interface DueTimesOptions {
  readonly recurrence: Recurrence;
  readonly policies: Pick<Policies, 'excluded' | 'onExcluded' | 'jitterSeconds'>;
  /** What decides about the jitter: the number of the rule. */
  readonly seed: number;
}

/** What due times are made of. Instants in milliseconds since 1970 UTC. */
export interface DuePlan {
  readonly own: Occurrences;
  readonly timezone: string;
  readonly admitted: AdmittedTimes;
  readonly excludesNothing: boolean;
  /** No time is moved by so much. */
  readonly jitterMs: number;
  /** By how much a time is moved. */
  shiftOf(at: number): number;
}

export class DueTimes {
  readonly #recurrence: Recurrence;
  readonly #plan: DuePlan;
  readonly #jitter: Jitter | null;

  /** @throws InvalidRecurrenceError (`LINOD_ERR_INVALID_RECURRENCE`) for exclusions that are none */
  constructor({ recurrence, policies, seed }: DueTimesOptions) {
    const { excluded, onExcluded, jitterSeconds } = policies;
    if (!isExcludedList(excluded)) throw new InvalidRecurrenceError('excluded', excludedRule, excluded);
    const exclusions = new Exclusions(excluded);
    const own = recurrence.occurrences;
    const admitted = new AdmittedTimes(own, exclusions, onExcluded);
    const jitterMs = jitterSeconds * 1000;
    const jitter = jitterMs === 0 ? null : new Jitter({ seed, mostMs: jitterMs, times: admitted });
    this.#recurrence = recurrence;
    this.#jitter = jitter;
    this.#plan = {
      own,
      timezone: recurrence.fields.timezone,
      admitted,
      excludesNothing: exclusions.isEmpty,
      jitterMs,
      shiftOf: (at) => jitter?.shiftOf(at) ?? 0,
    };
  }

  /** The first due time strictly later than an instant, or null. */
  nextAfter(instant: Date): Date | null {
    // For most rules there is nothing to add to the recurrence.
    if (this.#plan.excludesNothing && this.#jitter === null) return this.#recurrence.nextAfter(instant);
    const next = (this.#jitter ?? this.#plan.admitted).nextAfter(instant.getTime());
    return next === null ? null : new Date(next);
  }

  /** By how much jitter has moved a due time, in ms. */
  jitterOf(dueAt: number): number {
    return this.#jitter?.shiftBefore(dueAt) ?? 0;
  }

  /**
   * The next due times after an instant in their order, with what was made of them by clock changes, exclusions and
   * jitter, and with what comes to nothing; at most `most` entries.
   */
  timetable(after: Date, most: number): DueEntry[] {
    return dueTable(this.#plan, after.getTime(), most);
  }

  /**
   * For the ledger: the times later than one instant and up to another that come to nothing, or are moved, by a clock
   * change or since they are excluded. Many of them are told as one.
   */
  notesBetween(from: number, to: number): Entry[] {
    return notesBetween(this.#plan, from, to);
  }
}
