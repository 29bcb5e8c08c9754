// What is special about a due time, in words.

import { durationText } from '../base/duration.js';
import type { ClockNote } from '../recurrence/recurrence.js';
import type { DueEntry } from './due-times.js';
import type { JobRule } from './rule.js';

/** What a clock change does to a wall time, for people. */
export const clockNotes: Readonly<Record<ClockNote, (wall: string) => string>> = {
  shifted: (wall) => `shifted: the clocks skip ${wall}`,
  'at-jump': (wall) => `at the jump: the clocks skip ${wall}`,
  skipped: (wall) => `skipped: the clocks skip ${wall}`,
  'first-of-two': (wall) => `${wall} comes twice: the first time`,
  'second-of-two': (wall) => `${wall} comes twice: the second time`,
};

/** What is special about a time, for people; empty for an ordinary one. */
export function noteText(rule: JobRule, entry: DueEntry): string {
  const { wall, note, clockChangeMs, jitterMs } = entry;
  const change = clockChangeMs > 0 ? 'forward' : 'back';
  const notes = [
    note === null ? '' : clockNotes[note](wall.slice('yyyy-mm-ddT'.length).replace(/:00$/, '')),
    exclusionText(rule, entry),
    jitterMs === 0 ? '' : `moved by ${durationText(jitterMs)} of jitter`,
    clockChangeMs === 0 ? '' : `the clocks went ${change} by ${durationText(Math.abs(clockChangeMs))}`,
  ];
  return notes.filter((text) => text !== '').join('; ');
}

function exclusionText(rule: JobRule, { at, wall, excludedBy, instead, times, lastWall }: DueEntry): string {
  if (excludedBy === null) return '';
  if (at !== null) return `postponed from ${wall}: excluded by ${excludedBy}`;
  const more = times === 1 ? '' : ` with ${times - 1} more, up to ${lastWall}`;
  const anyway = instead === null ? '' : `; still due at ${rule.localTime(instead)}`;
  return `skipped${more}: excluded by ${excludedBy}${anyway}`;
}
