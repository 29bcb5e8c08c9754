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
interface Note {
  readonly reason: 'skipped' | 'moved';
  readonly dueAt: number;
  /** The last of several. */
  readonly dueUntil: number;
  readonly times: number;
  /** The wall times that it tells of, if it names them. */
  readonly wall: string | null;
  /** The clause for people, with the wall times in it. */
  detail(walls: string): string;
}

/** The notes of times later than `from` up to `to`; as {@link DueTimes.notesBetween}. */
export function notesBetween(plan: DuePlan, from: number, to: number): Entry[] {
  const runs: Note[][] = [];
  let steps = 0;
  let isInRow = false;
  for (const [since, until] of stretchesToTell(plan, from, to)) {
    for (const fate of plan.admitted.fatesAfter(plan.admitted.reachOver(since))) {
      if (fate.own.instant > until) break;
      if (steps++ > maxSteps || runs.length > maxNotes) return [...runs.map(entryOf), theRest(fate, to)];
      const note = noteOf(plan, fate);
      isInRow &&= note !== null;
      if (note === null || note.dueAt <= from || note.dueAt > to) continue;
      const run = isInRow ? runs.at(-1) : undefined;
      if (run !== undefined && isAlike(run[0], note)) run.push(note);
      else runs.push([note]);
      isInRow = true;
    }
  }
  return runs.map(entryOf);
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
  const { own } = fate;
  switch (fate.kind) {
    case 'skipped':
      return skipped(own.instant, (walls) => `the clocks skip ${walls}`, formatWallTime(own.wall));
    case 'left-out': {
      const { until, by } = fate;
      const instead = insteadOf(plan, fate);
      const anyway = instead === null ? '' : `; it is due at ${local(plan, instead)} all the same`;
      const { times, last } = countBefore(plan.own, own.instant, until);
      const note = skipped(own.instant, () => `excluded by ${by}${anyway}`);
      return { ...note, times, dueUntil: last };
    }
    case 'put-off': {
      const from = local(plan, new Date(own.instant));
      return moved(plan, fate.at, () => `from ${from}: excluded by ${fate.by}`);
    }
    case 'due':
      return clockNote(plan, own);
  }
}

/** What a clock change did to a time, unless it is due whenever the clocks show it. */
function clockNote(plan: DuePlan, { instant, wall: ownWall }: Occurrence): Note | null {
  const { own } = plan;
  if (own.isElapsed) return null;
  const note = clockNoteOf(own, { instant, wall: ownWall });
  const wall = formatWallTime(ownWall);
  if (note === 'shifted' || note === 'at-jump')
    return moved(plan, instant, (walls) => `the clocks skip ${walls}`, wall);
  if (own.repeatedTime === 'both' || note === null) return null;
  const which = note === 'first-of-two' ? 'first' : 'second';
  const detail = (walls: string) => `the clocks show ${walls} twice, and it is due the ${which} time`;
  return skipped(otherShowing(own, ownWall, instant), detail, wall);
}

function otherShowing({ zone }: Occurrences, wall: number, at: number): number {
  const showing = zone.whenShowing(wall);
  if (showing.kind !== 'twice') return at;
  return showing.first === at ? showing.second : showing.first;
}

function skipped(dueAt: number, detail: Note['detail'], wall: string | null = null): Note {
  return { reason: 'skipped', dueAt, dueUntil: dueAt, times: 1, wall, detail };
}

function moved({ shiftOf }: DuePlan, at: number, detail: Note['detail'], wall: string | null = null): Note {
  const dueAt = at + shiftOf(at);
  return { reason: 'moved', dueAt, dueUntil: dueAt, times: 1, wall, detail };
}

function local({ timezone }: DuePlan, instant: Date): string {
  return localTime(instant, timezone);
}

/** Whether the same is to be told of two times, but for the wall times. */
function isAlike(a: Note | undefined, b: Note): boolean {
  if (a === undefined || a.reason !== b.reason || (a.wall === null) !== (b.wall === null)) return false;
  return a.detail('') === b.detail('');
}

function entryOf(run: readonly Note[]): Entry {
  const [first, last] = [run[0], run.at(-1)];
  if (first === undefined || last === undefined) throw new RangeError('expected notes, got none');
  const { reason, dueAt } = first;
  const times = run.reduce((sum, note) => sum + note.times, 0);
  const walls = run.length === 1 ? first.wall : `${first.wall} to ${last.wall}`;
  return {
    reason,
    dueAt,
    dueUntil: times === 1 ? null : last.dueUntil,
    times,
    detail: first.detail(walls ?? ''),
  };
}

function theRest(fate: Fate, to: number): Entry {
  const detail = 'more times from here on are left out or moved, which is not told one by one';
  return { reason: 'skipped', dueAt: fate.own.instant, dueUntil: to, times: 1, detail };
}
