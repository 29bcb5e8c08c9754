// What `linod channels top` shows: the lines of a screen, of a table in a pipe, and its JSON.

import type { LayerStats } from '../../../channels/index.js';
import { type Column, styled, tableLines } from '../output.js';
import { printable } from '../printable.js';
import { shortFillColumn, stateColumns } from './figures-view.js';
import { countedNames, type RatedChannel, rateText } from './rates.js';

/** What was seen at one look. */
export interface Sight {
  readonly stats: LayerStats;
  readonly channels: readonly RatedChannel[];
}

const rateColumns: ReadonlyArray<Column<RatedChannel>> = countedNames.map((name) => ({
  title: `${name}/s`,
  cell: ({ rates }) => rateText(rates[name]),
  align: 'right',
}));

const columns: ReadonlyArray<Column<RatedChannel>> = [...stateColumns(shortFillColumn), ...rateColumns];

export interface ScreenView {
  /** The layer's name. */
  readonly layer: string;
  /** When the sight was seen. */
  readonly time: string;
  readonly everyMs: number;
  readonly rows: number;
  /** Why the last look failed. */
  readonly problem: string | undefined;
}

/** The lines for a screen of so many rows, the busiest channels first. What does not fit is counted. */
export function screenLines(sight: Sight, view: ScreenView): string[] {
  const { channels, stats } = sight;
  const head = [
    `linod channels  ${printable(view.layer)}  ${view.time}  every ${view.everyMs / 1000} s`,
    view.problem === undefined
      ? `${counted(channels.length, 'channel')}, ${counted(stats.processes.length, 'process')}; q to end`
      : styled('red', printable(view.problem)),
    '',
  ];
  if (channels.length === 0) return [...head, 'no channels yet'].slice(0, view.rows);
  const room = Math.max(0, view.rows - head.length - 1);
  const fits = channels.length <= room;
  const shown = [...channels].sort(busiestFirst).slice(0, fits ? room : Math.max(0, room - 1));
  const rest = fits ? [] : [`… and ${channels.length - shown.length} more`];
  return [...head, ...tableLines(columns, shown), ...rest].slice(0, view.rows);
}

/** By what goes through, then by what waits, then by name. */
function busiestFirst(a: RatedChannel, b: RatedChannel): number {
  const traffic = ({ rates }: RatedChannel) => (rates.sent ?? 0) + (rates.received ?? 0);
  return traffic(b) - traffic(a) || b.depth - a.depth || (a.channel < b.channel ? -1 : 1);
}

function counted(count: number, what: 'channel' | 'process'): string {
  const many = { channel: 'channels', process: 'processes' } as const;
  return `${count} ${count === 1 ? what : many[what]}`;
}

/** The table for a pipe; each row begins with the time. */
export function plainLines({ channels }: Sight, time: string): string[] {
  const timed: Column<RatedChannel> = { title: 'time', cell: () => time };
  return tableLines([timed, ...columns], channels);
}

export function sightJson({ stats, channels }: Sight): Record<string, unknown> {
  return { at: stats.at, channels, processes: stats.processes };
}
