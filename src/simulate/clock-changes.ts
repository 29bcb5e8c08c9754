// The clock changes of a stretch of time in the zones of the rules, and what they do to these.

import { Zone } from '../recurrence/zone.js';
import type { JobRule } from '../tasks/rule.js';
import type { ClockChangeReport, ClockEffect } from './report.js';

/** Of a rule by the second, not each of the times is told that a clock change shows twice. */
const mostOfRule = 20;

/** The clock changes, in the order of time. */
export function clockChanges(rules: readonly JobRule[], from: number, to: number): ClockChangeReport[] {
  const timezones = [...new Set(rules.map(({ timezone }) => timezone))];
  const found = timezones.flatMap((timezone) =>
    (Zone.named(timezone)?.changesBetween(from, to) ?? []).map(({ at, offsetBeforeMs, offsetMs }) => {
      const changeMs = offsetMs - offsetBeforeMs;
      const concerned = rules.filter((rule) => rule.timezone === timezone && !isElapsed(rule));
      return {
        at,
        timezone,
        changeMs,
        effects: concerned.flatMap((rule) => effectsOn(rule, at, Math.abs(changeMs))),
      };
    }),
  );
  return found.sort((a, b) => a.at - b.at);
}

/** Clock changes mean nothing to it. */
function isElapsed(rule: JobRule): boolean {
  return ['secondly', 'minutely', 'hourly'].includes(rule.everyUnit);
}

function effectsOn(rule: JobRule, at: number, size: number): ClockEffect[] {
  return rule.dueTimes
    .timetable(new Date(at - size - 1), mostOfRule)
    .flatMap(({ at: dueAt, wall, note }) =>
      note === null || (dueAt !== null && dueAt.getTime() - at > 2 * size)
        ? []
        : [{ rule: rule.id, name: rule.name, wall, note }],
    );
}
