// What the ledger is told of times at which a rule might have been due: left out or moved, and why.

import { localTime } from '../local-time.js';
import type { Fate } from '../recurrence/admitted-times.js';
import type { Occurrence, Occurrences } from '../recurrence/occurrences.js';
import { clockNoteOf } from '../recurrence/occurrences.js';
import { formatWallTime } from '../recurrence/wall-time.js';
import { farthestMs } from '../recurrence/zone.js';
import type { Entry } from './decide.js';
import { countBefore, insteadOf } from './due-table.js';
import type { DuePlan } from './due-times.js';

/** A rule that moves on over more than this was off for long; then not all is told. */
const maxNotes = 100;
/** Nobody looks through more times than this for what is to be told. */
const maxSteps = 10_000;

/** Something to tell of a time, or of several in a row of which the same is to be told. */
interface Note extends Entry {
  readonly dueAt: number;
  readonly dueUntil: number;
  /** A clause for people, in which `%` stands for the wall times. */
  readonly detail: string;
  readonly wall: string;
  readonly lastWall: string;
}

/** The notes of times later than `from` up to `to`; as {@link DueTimes.notesBetween}. */
export function notesBetween(plan: DuePlan, from: number, to: number): Entry[] {
  const notes: Note[] = [];
  let steps = 0;
  let isInRow = false;
  for (const [since, until] of stretchesToTell(plan, from, to)) {
    for (const fate of plan.admitted.fatesAfter(plan.admitted.reachOver(since))) {
      if (fate.own.instant > until) break;
      if (steps++ > maxSteps || notes.length > maxNotes) return [...notes.map(entryOf), theRest(fate, to)];
      const note = noteOf(plan, fate);
      isInRow &&= note !== null;
      if (note === null || note.dueAt <= from || note.dueAt > to) continue;
      const last = isInRow ? notes.at(-1) : undefined;
      if (last?.reason === note.reason && last.detail === note.detail)
        notes.splice(-1, 1, joined(last, note));
      else notes.push(note);
      isInRow = true;
    }
  }
  return notes.map(entryOf);
}

function joined(first: Note, { dueUntil, times, lastWall }: Note): Note {
  return { ...first, dueUntil, times: first.times + times, lastWall };
}

function entryOf({ reason, dueAt, dueUntil, times, detail, wall, lastWall }: Note): Entry {
  const walls = wall === lastWall ? wall : `${wall} to ${lastWall}`;
  return {
    reason,
    dueAt,
    dueUntil: times === 1 ? null : dueUntil,
    times,
    detail: detail.replace('%', walls),
  };
}

/** Where there may be something to tell: mostly nowhere. */
function stretchesToTell(
  { own, excludesNothing }: DuePlan,
  from: number,
  to: number,
): ReadonlyArray<readonly [number, number]> {
  if (own.isElapsed) return excludesNothing ? [] : [[from, to]];
  const changes = own.zone.changesBetween(from - farthestMs, to + farthestMs).map((change) => ({
    at: change.at,
    // What a change does to a time may be told of another, as far away.
    size: Math.abs(change.offsetMs - change.offsetBeforeMs),
  }));
  const widest = Math.max(0, ...changes.map(({ size }) => size));
  if (!excludesNothing) return [[from - widest, to + widest]];
  return changes.map(({ at, size }) => [Math.max(from, at) - size - 1, Math.min(to, at) + size]);
}

function noteOf(plan: DuePlan, fate: Fate): Note | null {
  const { own, shiftOf, timezone } = plan;
  const { instant, wall } = fate.own;
  switch (fate.kind) {
    case 'skipped':
      return note('skipped', instant, 'the clocks skip %', wall);
    case 'left-out': {
      const instead = insteadOf(plan, fate);
      const anyway = instead === null ? '' : `; it is due at ${localTime(instead, timezone)} all the same`;
      const { times, last } = countBefore(own, instant, fate.until);
      return { ...note('skipped', instant, `excluded by ${fate.by}${anyway}`, wall), times, dueUntil: last };
    }
    case 'put-off': {
      const from = localTime(new Date(instant), timezone);
      return note('moved', fate.at + shiftOf(fate.at), `from ${from}: excluded by ${fate.by}`, wall);
    }
    case 'due':
      return clockNote(plan, fate.own);
  }
}

/** What a clock change did to a time, unless it is due whenever the clocks show it. */
function clockNote({ own, shiftOf }: DuePlan, occurrence: Occurrence): Note | null {
  if (own.isElapsed) return null;
  const { instant, wall } = occurrence;
  const change = clockNoteOf(own, occurrence);
  if (change === 'shifted' || change === 'at-jump')
    return note('moved', instant + shiftOf(instant), 'the clocks skip %', wall);
  if (own.repeatedTime === 'both' || change === null) return null;
  const which = change === 'first-of-two' ? 'first' : 'second';
  const detail = `the clocks show % twice, and it is due the ${which} time`;
  return note('skipped', otherShowing(own, wall, instant), detail, wall);
}

function otherShowing({ zone }: Occurrences, wall: number, at: number): number {
  const showing = zone.whenShowing(wall);
  if (showing.kind !== 'twice') return at;
  return showing.first === at ? showing.second : showing.first;
}

function note(reason: 'skipped' | 'moved', dueAt: number, detail: string, at: number): Note {
  const wall = formatWallTime(at);
  return { reason, dueAt, dueUntil: dueAt, times: 1, detail, wall, lastWall: wall };
}

function theRest(fate: Fate, to: number): Entry {
  const detail = 'more times from here on are left out or moved, which is not told one by one';
  return { reason: 'skipped', dueAt: fate.own.instant, dueUntil: to, times: 1, detail };
}
