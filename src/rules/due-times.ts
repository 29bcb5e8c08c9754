// The due times of a rule: its recurrence without exclusions, moved by jitter, and the ledger entries about
// them.

import { AdmittedTimes, type Outcome } from '../recurrence/admitted-times.js';
import { Exclusions, excludedRule, isExcludedList } from '../recurrence/exclusions.js';
import { Jitter } from '../recurrence/jitter.js';
import { clockNoteOf, type Occurrences, type TimetableEntry } from '../recurrence/occurrences.js';
import { InvalidRecurrenceError, type Recurrence } from '../recurrence/recurrence.js';
import { localTime } from '../recurrence/time/local-time.js';
import { formatWallTime, parseWallTime } from '../recurrence/time/wall-time.js';
import { farthestMs } from '../recurrence/time/zone.js';
import type { Entry } from './ledger-entry.js';
import type { Policies } from './policies.js';

/** A due time, or a skipped one. */
export interface DueEntry extends TimetableEntry {
  /** The time without exclusion and jitter, in ms since 1970. */
  readonly instant: number;
  /**
   * What excludes it, as it is written in the rule; null where nothing does. It is put off or, without `at`,
   * skipped.
   */
  readonly excludedBy: string | null;
  /** The due time that makes up for one that is excluded. */
  readonly instead: Date | null;
  /** How many times in a row are skipped together, and the last of them. */
  readonly times: number;
  readonly lastInstant: number;
  readonly lastWall: string;
  /** The jitter, in ms. */
  readonly jitterMs: number;
}

export interface DueTimesOptions {
  readonly recurrence: Recurrence;
  readonly policies: Pick<Policies, 'excluded' | 'onExcluded' | 'jitterSeconds'>;
  /** Determines the jitter: the id of the rule. */
  readonly seed: number;
}

/** Maximum count of times that are skipped together. */
const maxCounted = 1000;
/** Maximum of further entries to read when only postponed times remain. */
const lookAhead = 50;
/** For a longer period the ledger gets only a summary. */
const maxNotes = 100;
/** Maximum of times to examine for ledger entries. */
const maxSteps = 10_000;

/** A note about one time, or about several in a row with the same reason. */
interface Note extends Entry {
  readonly dueAt: number;
  readonly dueUntil: number;
  /** A clause for people, in which `%` stands for the wall times. */
  readonly detail: string;
  readonly wall: string;
  readonly lastWall: string;
}

export class DueTimes {
  readonly #recurrence: Recurrence;
  readonly #own: Occurrences;
  readonly #admitted: AdmittedTimes;
  readonly #excludesNothing: boolean;
  readonly #jitterMs: number;
  readonly #jitter: Jitter | null;

  /** @throws InvalidRecurrenceError (`LINOD_ERR_INVALID_RECURRENCE`) for exclusions that are none */
  constructor({ recurrence, policies, seed }: DueTimesOptions) {
    const { excluded, onExcluded, jitterSeconds } = policies;
    if (!isExcludedList(excluded)) throw new InvalidRecurrenceError('excluded', excludedRule, excluded);
    const exclusions = new Exclusions(excluded);
    this.#recurrence = recurrence;
    this.#own = recurrence.occurrences;
    this.#admitted = new AdmittedTimes(this.#own, exclusions, onExcluded);
    this.#excludesNothing = exclusions.isEmpty;
    this.#jitterMs = jitterSeconds * 1000;
    const jitter = { seed, maxMs: this.#jitterMs, times: this.#admitted };
    this.#jitter = jitterSeconds === 0 ? null : new Jitter(jitter);
  }

  /** The first due time strictly later than an instant, or null. */
  nextAfter(instant: Date): Date | null {
    // Most rules have neither exclusions nor jitter.
    if (this.#excludesNothing && this.#jitter === null) return this.#recurrence.nextAfter(instant);
    const next = (this.#jitter ?? this.#admitted).nextAfter(instant.getTime());
    return next === null ? null : new Date(next);
  }

  /** The jitter of a due time, in ms. */
  jitterOf(dueAt: number): number {
    return this.#jitter?.shiftBefore(dueAt) ?? 0;
  }

  /**
   * The next due times after an instant in their order, with what was made of them by clock changes,
   * exclusions and jitter, and with what comes to nothing; at most `most` entries.
   */
  timetable(after: Date, most: number): DueEntry[] {
    const from = after.getTime();
    const orderOf = ({ at, instant }: DueEntry) => at?.getTime() ?? instant;
    const found: DueEntry[] = [];
    for (const entry of this.#walk(from - this.#jitterMs)) {
      const isDue = entry.at !== null && entry.excludedBy === null;
      // Nothing of what comes behind a due time is due before it.
      if (found.length >= (isDue ? most : most + lookAhead)) break;
      if (orderOf(entry) > from) found.push(entry);
    }
    found.sort((a, b) => orderOf(a) - orderOf(b));
    const { zone } = this.#own;
    let since = from;
    return found.slice(0, most).map((entry) => {
      if (entry.at === null) return entry;
      const at = entry.at.getTime();
      const clockChangeMs = zone.offsetAt(at) - zone.offsetAt(since);
      since = at;
      return { ...entry, clockChangeMs };
    });
  }

  /**
   * For the ledger: the times later than one instant and up to another that come to nothing, or are moved, by
   * a clock change or since they are excluded. Many of them share one entry.
   */
  skippedOrMovedBetween(from: number, to: number): Entry[] {
    const notes: Note[] = [];
    let steps = 0;
    let isInRow = false;
    for (const [since, until] of this.#stretchesToTell(from, to)) {
      for (const entry of this.#walk(since)) {
        if (entry.instant > until) break;
        if (steps++ > maxSteps || notes.length > maxNotes)
          return [...notes.map(withWalls), theRest(entry.instant, to)];
        const note = this.#noteOf(entry);
        isInRow &&= note !== null;
        if (note === null || note.dueAt <= from || note.dueAt > to) continue;
        const last = isInRow ? notes.at(-1) : undefined;
        if (last?.reason === note.reason && last.detail === note.detail)
          notes[notes.length - 1] = joined(last, note);
        else notes.push(note);
        isInRow = true;
      }
    }
    return notes.map(withWalls);
  }

  /** The entries of the recurrence, from the first one that may be due later than an instant. */
  *#walk(after: number): Generator<DueEntry, void, undefined> {
    for (const outcome of this.#admitted.outcomesAfter(this.#admitted.earliestPostponedPast(after)))
      yield this.#entryOf(outcome);
  }

  #entryOf(outcome: Outcome): DueEntry {
    const { instant } = outcome.own;
    const wall = formatWallTime(outcome.own.wall);
    const nothing = { at: null, instead: null, excludedBy: null, note: null, clockChangeMs: 0, jitterMs: 0 };
    const entry = { ...nothing, instant, lastInstant: instant, wall, lastWall: wall, times: 1 };
    switch (outcome.kind) {
      case 'missing':
        return { ...entry, note: 'skipped' };
      case 'skipped': {
        const { by: excludedBy, until, instead } = outcome;
        const { times, last } = this.#countBefore(instant, until);
        const lastWall = times === 1 ? wall : formatWallTime(last + this.#own.zone.offsetAt(last));
        const insteadAt = instead === null ? null : new Date(instead + this.#shiftOf(instead));
        return { ...entry, excludedBy, instead: insteadAt, times, lastInstant: last, lastWall };
      }
      case 'postponed':
      case 'due': {
        const jitterMs = this.#shiftOf(outcome.at);
        const excludedBy = outcome.kind === 'postponed' ? outcome.by : null;
        const note = clockNoteOf(this.#own, outcome.own);
        return { ...entry, at: new Date(outcome.at + jitterMs), note, excludedBy, jitterMs };
      }
    }
  }

  #shiftOf(at: number): number {
    return this.#jitter?.shiftOf(at) ?? 0;
  }

  /** The times from one up to but without an instant, with a limited count. */
  #countBefore(first: number, until: number): { readonly times: number; readonly last: number } {
    let last = first;
    for (let times = 1; ; times++) {
      if (times === maxCounted) return { times, last: until - 1 };
      const next = this.#own.occurrenceAfter(last);
      if (next === null || next.instant >= until) return { times, last };
      last = next.instant;
    }
  }

  /** The periods that may need notes. Most rules have none. */
  #stretchesToTell(from: number, to: number): ReadonlyArray<readonly [number, number]> {
    const { isElapsed, zone } = this.#own;
    if (isElapsed) return this.#excludesNothing ? [] : [[from, to]];
    const changes = zone.changesBetween(from - farthestMs, to + farthestMs).map((change) => ({
      at: change.at,
      // A clock change may produce a note about a time as far away as the change is large.
      size: Math.abs(change.offsetMs - change.offsetBeforeMs),
    }));
    const widest = Math.max(0, ...changes.map(({ size }) => size));
    if (!this.#excludesNothing) return [[from - widest, to + widest]];
    return changes.map(({ at, size }) => [Math.max(from, at) - size - 1, Math.min(to, at) + size]);
  }

  #noteOf(entry: DueEntry): Note | null {
    const { at, instant, note, excludedBy, instead } = entry;
    const { timezone } = this.#recurrence.fields;
    const skipped = { ...entry, reason: 'skipped', dueAt: instant, dueUntil: entry.lastInstant } as const;
    const dueAt = at?.getTime() ?? instant;
    const moved = { ...entry, reason: 'moved', dueAt, dueUntil: dueAt } as const;
    if (excludedBy !== null && at !== null)
      return {
        ...moved,
        detail: `from ${localTime(new Date(instant), timezone)}: excluded by ${excludedBy}`,
      };
    if (excludedBy !== null) {
      const anyway = instead === null ? '' : `; it is due at ${localTime(instead, timezone)} all the same`;
      return { ...skipped, detail: `excluded by ${excludedBy}${anyway}` };
    }
    if (note === 'skipped') return { ...skipped, detail: 'the clocks skip %' };
    if (note === null || this.#own.isElapsed) return null;
    if (note === 'shifted' || note === 'at-jump') return { ...moved, detail: 'the clocks skip %' };
    if (this.#own.repeatedTime === 'both') return null;
    const which = note === 'first-of-two' ? 'first' : 'second';
    const other = this.#otherShowing(entry);
    const detail = `the clocks show % twice, and it is due the ${which} time`;
    return { ...skipped, dueAt: other, dueUntil: other, detail };
  }

  #otherShowing({ instant, wall }: DueEntry): number {
    const showing = this.#own.zone.whenShowing(parseWallTime(wall) ?? instant);
    if (showing.kind !== 'twice') return instant;
    return showing.first === instant ? showing.second : showing.first;
  }
}

function joined(first: Note, { dueUntil, times, lastWall }: Note): Note {
  return { ...first, dueUntil, times: first.times + times, lastWall };
}

function withWalls({ reason, dueAt, dueUntil, times, detail, wall, lastWall }: Note): Entry {
  const walls = wall === lastWall ? wall : `${wall} to ${lastWall}`;
  return {
    reason,
    dueAt,
    dueUntil: times === 1 ? null : dueUntil,
    times,
    detail: detail.replace('%', walls),
  };
}

function theRest(dueAt: number, dueUntil: number): Entry {
  const detail = 'more times from here on are skipped or moved, and are not listed one by one';
  return { reason: 'skipped', dueAt, dueUntil, times: 1, detail };
}
