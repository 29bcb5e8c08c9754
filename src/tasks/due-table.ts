// When a rule is due, one entry a time, for people who look ahead.

import type { Fate } from '../recurrence/admitted-times.js';
import type { Occurrences } from '../recurrence/occurrences.js';
import { clockNoteOf, type TimetableEntry } from '../recurrence/occurrences.js';
import { formatWallTime } from '../recurrence/wall-time.js';
import type { DuePlan } from './due-times.js';

/** A due time, or one that comes to nothing. */
export interface DueEntry extends TimetableEntry {
  /** What excludes it, as it is written in the rule; null where nothing does. It is put off or, without `at`, left out. */
  readonly excludedBy: string | null;
  /** The due time that makes up for one that is left out since it is excluded. */
  readonly instead: Date | null;
  /** How many times in a row are left out together, and the wall time of the last. */
  readonly times: number;
  readonly lastWall: string;
  /** By how much it is moved, in ms. */
  readonly jitterMs: number;
}

/** Times that are left out together are counted up to here. */
const maxCounted = 1000;
/** Where nothing is due any more but what was put off, so many entries more are looked at. */
const lookAhead = 50;

/** The entries after an instant in the order in which they are due, at most `most`. */
export function dueTable(plan: DuePlan, after: number, most: number): DueEntry[] {
  const { admitted, jitterMs } = plan;
  const found: Array<{ readonly order: number; readonly entry: DueEntry }> = [];
  for (const fate of admitted.fatesAfter(admitted.reachOver(after - jitterMs))) {
    const enough = fate.kind === 'due' ? most : most + lookAhead;
    // Nothing of what comes behind a due time is due before it.
    if (found.length >= enough) break;
    const entry = entryOf(plan, fate);
    const order = entry.at?.getTime() ?? fate.own.instant;
    if (order > after) found.push({ order, entry });
  }
  found.sort((a, b) => a.order - b.order);
  let since = after;
  return found.slice(0, most).map(({ order, entry }) => {
    const clockChangeMs =
      entry.at === null ? 0 : plan.own.zone.offsetAt(order) - plan.own.zone.offsetAt(since);
    if (entry.at !== null) since = order;
    return { ...entry, clockChangeMs };
  });
}

function entryOf(plan: DuePlan, fate: Fate): DueEntry {
  const { own, shiftOf } = plan;
  const wall = formatWallTime(fate.own.wall);
  const entry = {
    at: null,
    wall,
    lastWall: wall,
    note: null,
    clockChangeMs: 0,
    excludedBy: null,
    instead: null,
    times: 1,
    jitterMs: 0,
  };
  switch (fate.kind) {
    case 'skipped':
      return { ...entry, note: 'skipped' };
    case 'left-out': {
      const { by: excludedBy } = fate;
      const instead = insteadOf(plan, fate);
      const { times, last } = countBefore(own, fate.own.instant, fate.until);
      const lastWall = times === 1 ? wall : formatWallTime(last + own.zone.offsetAt(last));
      return { ...entry, excludedBy, instead, times, lastWall };
    }
    case 'put-off':
    case 'due': {
      const jitterMs = shiftOf(fate.at);
      const excludedBy = fate.kind === 'put-off' ? fate.by : null;
      const note = clockNoteOf(own, fate.own);
      return { ...entry, at: new Date(fate.at + jitterMs), note, excludedBy, jitterMs };
    }
  }
}

/** The due time, with its jitter, that makes up for a time that is left out. */
export function insteadOf(
  { shiftOf }: DuePlan,
  { instead }: Extract<Fate, { kind: 'left-out' }>,
): Date | null {
  return instead === null ? null : new Date(instead + shiftOf(instead));
}

/** The times from one on up to but without an instant, as far as it makes sense to count them. */
export function countBefore(
  own: Occurrences,
  first: number,
  until: number,
): { readonly times: number; readonly last: number } {
  let last = first;
  for (let times = 1; ; times++) {
    if (times === maxCounted) return { times, last: until - 1 };
    const next = own.occurrenceAfter(last);
    if (next === null || next.instant >= until) return { times, last };
    last = next.instant;
  }
}
