// The channels of a layer as a table.

import type { ChannelFigures } from '../../../channels/index.js';
import { durationText } from '../../duration.js';
import type { Column } from '../output.js';
import { printable } from '../printable.js';

const nearlyFull = 0.8;

/** How full they are, with the number that would be full, and in short. */
export const fillColumn: Column<ChannelFigures> = {
  title: 'fill',
  cell: ({ depth, capacity }) => `${percent(depth, capacity)} of ${capacity}`,
  align: 'right',
  style: depthStyle,
};
export const shortFillColumn: Column<ChannelFigures> = {
  ...fillColumn,
  cell: ({ depth, capacity }) => percent(depth, capacity),
};

/** What lies on the channels now, and who waits for it. */
export const stateColumns = (fill: Column<ChannelFigures>): ReadonlyArray<Column<ChannelFigures>> => [
  { title: 'channel', cell: ({ channel }) => printable(channel) },
  { title: 'depth', cell: ({ depth }) => String(depth), align: 'right', style: depthStyle },
  fill,
  { title: 'oldest', cell: oldestText, align: 'right' },
  {
    title: 'receivers',
    cell: ({ receivers }) => String(receivers),
    align: 'right',
    style: ({ receivers, depth }) => (receivers === 0 && depth > 0 ? 'yellow' : undefined),
  },
  { title: 'on lease', cell: ({ onLease }) => String(onLease), align: 'right' },
];

/** What has happened on them so far. */
export const countColumns: ReadonlyArray<Column<ChannelFigures>> = (
  ['sent', 'received', 'refused', 'dropped', 'redelivered'] as const
).map((count) => ({
  title: count,
  cell: (figures) => String(figures[count]),
  align: 'right',
  style: (figures) =>
    figures[count] > 0 && (count === 'refused' || count === 'dropped') ? 'yellow' : undefined,
}));

function percent(depth: number, capacity: number): string {
  return `${Math.round((100 * depth) / capacity)} %`;
}

function depthStyle({ depth, capacity }: ChannelFigures): 'red' | 'yellow' | undefined {
  if (depth >= capacity) return 'red';
  return depth >= nearlyFull * capacity ? 'yellow' : undefined;
}

function oldestText({ depth, oldestAgeMs }: ChannelFigures): string {
  if (depth === 0) return '-';
  return oldestAgeMs === undefined ? '?' : durationText(oldestAgeMs);
}
