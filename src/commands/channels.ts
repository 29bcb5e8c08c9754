// linod channels: what lies on the channels of a layer. Works while no worker runs.

import type { Command } from 'commander';
import type { ChannelFigures } from '../../channels/index.js';
import { durationText } from '../duration.js';
import { deadCommand, redriveCommand } from './channels/dead.js';
import { groupsCommand } from './channels/groups.js';
import { peekCommand } from './channels/peek.js';
import { sendCommand } from './channels/send.js';
import { type LayerFlags, layerCommand, withLayer } from './channels/with-layer.js';
import { refuseUnknownCommand } from './main.js';
import { type Column, printJson, printTable, say } from './output.js';
import { printable } from './printable.js';

export function channelsCommand(): Command {
  const command = layerCommand(
    'channels',
    'the channels of the layer: how full they are, what is on lease, what is dead',
    'Example:\n  $ linod channels\n  $ linod channels --layer redis://localhost:6379',
  )
    .allowExcessArguments()
    .action(async (flags: LayerFlags, self: Command) => {
      refuseUnknownCommand(self);
      await withLayer(flags, async (layer) => {
        const stats = await layer.stats();
        if (flags.json) return printJson(stats);
        printTable(figureColumns, stats.channels);
        if (stats.channels.length === 0) say('nothing lies on any channel');
      });
    });
  for (const below of [peekCommand(), sendCommand(), groupsCommand(), deadCommand(), redriveCommand()])
    command.addCommand(below);
  return command;
}

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
