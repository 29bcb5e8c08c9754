// The channels of a layer as a table.

import type { ChannelFigures } from '../../../channels/index.js';
import { durationText } from '../../duration.js';
import type { Column } from '../output.js';
import { printable } from '../printable.js';

const nearlyFull = 0.8;

export const figureColumns: ReadonlyArray<Column<ChannelFigures>> = [
  { title: 'channel', cell: ({ channel }) => printable(channel) },
  { title: 'depth', cell: ({ depth }) => String(depth), align: 'right', style: depthStyle },
  {
    title: 'fill',
    cell: ({ depth, capacity }) => `${percent(depth, capacity)} of ${capacity}`,
    align: 'right',
    style: depthStyle,
  },
  { title: 'oldest', cell: oldestText, align: 'right' },
  { title: 'on lease', cell: ({ onLease }) => String(onLease), align: 'right' },
  {
    title: 'dead',
    cell: ({ dead }) => String(dead),
    align: 'right',
    style: ({ dead }) => (dead > 0 ? 'yellow' : undefined),
  },
];

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
