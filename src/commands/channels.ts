// linod channels: what lies on the channels of a layer. Works while no worker runs.

import { Command } from 'commander';
import { deadCommand, redriveCommand } from './channels/dead.js';
import { figureColumns } from './channels/figures-view.js';
import { groupsCommand } from './channels/groups.js';
import { peekCommand } from './channels/peek.js';
import { sendCommand } from './channels/send.js';
import { type LayerFlags, layerOption, withLayer } from './channels/with-layer.js';
import { jsonOption, refuseUnknownCommand, siteOption } from './main.js';
import { printJson, printTable, say } from './output.js';

export function channelsCommand(): Command {
  const command = new Command('channels')
    .description('the channels of the layer: how full they are, what is on lease, what is dead')
    .addOption(siteOption())
    .addOption(layerOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  $ linod channels
  $ linod channels --layer redis://localhost:6379`,
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
