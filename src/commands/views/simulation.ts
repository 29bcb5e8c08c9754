// Shows a simulation: a table of the rules, then figures of the whole site.

import { durationText } from '../../base/duration.js';
import type { Peak, RuleReport, SimulationReport } from '../../insight/simulate/report.js';
import { localTime } from '../../recurrence/time/local-time.js';
import { clockNotes } from '../../rules/due-notes.js';
import type { Column } from './output.js';

const count = (title: string, cell: (rule: RuleReport) => number): Column<RuleReport> => ({
  title,
  cell: (rule) => (cell(rule) === 0 ? '' : String(cell(rule))),
  align: 'right',
});

export const simulatedColumns: ReadonlyArray<Column<RuleReport>> = [
  { title: '#', cell: ({ rule }) => String(rule), align: 'right' },
  { title: 'name', cell: ({ name }) => name },
  { title: 'runs', cell: ({ runs }) => String(runs), align: 'right' },
  { title: 'each', cell: ({ durationMs }) => durationText(durationMs), align: 'right', isSpare: true },
  count('late', ({ late }) => late),
  {
    title: 'latest by',
    cell: ({ late, worstLateMs }) => (late === 0 ? '' : durationText(worstLateMs)),
    align: 'right',
    isSpare: true,
  },
  count('overlaps', ({ overlaps }) => overlaps),
  count('skipped', ({ skipped }) => skipped),
  count('not due', ({ notDue }) => notDue),
  count('dropped', ({ dropped }) => dropped),
  count('moved', ({ moved }) => moved),
  count('cancelled', ({ cancelled }) => cancelled),
  count('too long', ({ timeouts }) => timeouts),
];

/** The lines below the table. */
export function simulationLines(report: SimulationReport, timezone: string): string[] {
  const local = (instant: number) => localTime(new Date(instant), timezone);
  const names = new Map(report.rules.map(({ rule, name }) => [rule, name]));
  const { from, to, slots, mostRunning, mostWaiting, fullMs, idleMs, longestIdle } = report;
  return [
    line('from', `${local(from)} to ${local(to)}, ${slots} ${slots === 1 ? 'slot' : 'slots'}`),
    line('most at once', peakText(mostRunning, 'runs', local, names)),
    line('most waiting', peakText(mostWaiting, 'rules', local, names)),
    line('all slots taken', fullMs === 0 ? 'never' : `for ${durationText(fullMs)} in all`),
    line(
      'idle',
      idleMs === 0
        ? 'never'
        : `${((100 * idleMs) / (to - from)).toFixed(1)} % of the time; ${longestText(longestIdle, local)}`,
    ),
    // A shorter simulation does not cover all hours of the day.
    ...(to - from < dayMs ? [] : [line('idle hours', hoursText(report.busyMsByHour))]),
    ...report.clockChanges.flatMap(({ at, timezone: zone, changeMs, effects }) => [
      line('clock change', `${localTime(new Date(at), zone)} in ${zone}: ${changeText(changeMs)}`),
      ...effects.map(({ rule, name, wall, note }) => line('', `#${rule} ${name}: ${clockNotes[note](wall)}`)),
    ]),
    line('not simulated', report.notSimulated.join('; ')),
    ...report.failures.map(({ rule, name, failed, of }) =>
      line('', `#${rule} ${name}: ${failed} of its last ${of} ${of === 1 ? 'run' : 'runs'} failed`),
    ),
    ...report.broken.map(({ rule, name, error }) => line('cannot be read', `#${rule} ${name}: ${error}`)),
  ];
}

function longestText(
  { from, to }: SimulationReport['longestIdle'],
  local: (instant: number) => string,
): string {
  return `longest for ${durationText(to - from)} from ${local(from)}`;
}

function changeText(changeMs: number): string {
  return `${changeMs > 0 ? 'forward' : 'back'} by ${durationText(Math.abs(changeMs))}`;
}

function line(what: string, text: string): string {
  return `${what.padEnd(17)} ${text}`;
}

const dayMs = 86_400_000;
/** The maximum number of rules that a line names. */
const maxNamed = 8;

function peakText(
  { count: most, at, rules }: Peak,
  what: string,
  local: (instant: number) => string,
  names: ReadonlyMap<number, string>,
): string {
  if (at === null) return 'none';
  const named = rules.slice(0, maxNamed).map((rule) => `#${rule} ${names.get(rule) ?? ''}`.trimEnd());
  const more = rules.length > maxNamed ? ` and ${rules.length - maxNamed} more` : '';
  return `${most} ${most === 1 ? what.slice(0, -1) : what} at ${local(at)}: ${named.join(', ')}${more}`;
}

/** The hours of the day in which nothing runs, neighbours as a range: `00:00-02:00`. */
function hoursText(busyMsByHour: readonly number[]): string {
  const ranges: Array<[number, number]> = [];
  busyMsByHour.forEach((busyMs, hour) => {
    if (busyMs > 0) return;
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === hour) last[1] = hour + 1;
    else ranges.push([hour, hour + 1]);
  });
  const two = (hour: number) => `${String(hour).padStart(2, '0')}:00`;
  return ranges.map(([first, end]) => `${two(first)}-${two(end)}`).join(', ') || 'none';
}
