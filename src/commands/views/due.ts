// Shows the next due times of a rule: one line each, with a note where something is special.

import { noteText } from '../../rules/due-notes.js';
import type { DueEntry } from '../../rules/due-times.js';
import type { JobRule } from '../../rules/rule.js';

/** The lines. A skipped time has no offset, because it is no instant. */
export function dueLines(rule: JobRule, entries: readonly DueEntry[]): string[] {
  return entries.map((entry) => {
    const time = entry.at === null ? `${entry.wall}      ` : rule.localTime(entry.at);
    return `${time}  ${noteText(rule, entry)}`.trimEnd();
  });
}

/** The same as JSON. */
export function dueJson(rule: JobRule, entries: readonly DueEntry[]): Array<Record<string, unknown>> {
  return entries.map(({ at, wall, note, clockChangeMs, excludedBy, instead, times, lastWall, jitterMs }) => ({
    at,
    local: at === null ? null : rule.localTime(at),
    wall,
    note,
    clockChangeMinutes: clockChangeMs / 60_000,
    excludedBy,
    instead,
    times,
    lastWall,
    jitterSeconds: jitterMs / 1000,
  }));
}
