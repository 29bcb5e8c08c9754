// linod channels: what lies on the channels of a layer, and who waits for it. Works while no worker runs.

import { Command } from 'commander';
import { countColumns, fillColumn, stateColumns } from './channels/figures-view.js';
import { groupsCommand } from './channels/groups.js';
import { peekCommand } from './channels/peek.js';
import { sendCommand } from './channels/send.js';
import { topCommand } from './channels/top.js';
import { traceCommand } from './channels/trace.js';
import { type LayerFlags, layerOption, withLayer } from './channels/with-layer.js';
import { jsonOption, refuseUnknownCommand, siteOption } from './main.js';
import { printJson, printTable, say } from './output.js';

export function channelsCommand(): Command {
  const command = new Command('channels')
    .description('the channels of the layer: how full they are, who receives, what has passed')
    .addOption(siteOption())
    .addOption(layerOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Counts are those of linod's processes and up to a second late; depth and lease are what lies there now, whoever sent it.

Example:
  $ linod channels
  $ linod channels --layer redis://localhost:6379 top`,
    )
    .allowExcessArguments()
    .action(async (flags: LayerFlags, self: Command) => {
      refuseUnknownCommand(self);
      await withLayer(flags, async (layer) => {
        const stats = await layer.stats();
        if (flags.json) return printJson(stats);
        printTable([...stateColumns(fillColumn), ...countColumns], stats.channels);
        if (stats.channels.length === 0)
          say('no channels: nothing waits, and nothing was sent or received for a day');
      });
    });
  for (const below of [peekCommand(), sendCommand(), groupsCommand(), traceCommand(), topCommand()])
    command.addCommand(below);
  return command;
}
