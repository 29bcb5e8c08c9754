// linod channels groups: who is in which group.

import { Command } from 'commander';
import { jsonOption, siteOption } from '../main.js';
import { printJson, printTable, say } from '../output.js';
import { memberColumns, memberRows } from './groups-view.js';
import { type LayerFlags, layerOption, withLayer } from './with-layer.js';

export function groupsCommand(): Command {
  return new Command('groups')
    .description('the groups, their members, and when each was last added')
    .argument('[group]', 'only this one')
    .addOption(siteOption())
    .addOption(layerOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ linod channels groups linod_mysite.workers')
    .action(async (group: string | undefined, _own: LayerFlags, self: Command) => {
      const flags = self.optsWithGlobals<LayerFlags>();
      await withLayer(flags, async (layer) => {
        const groups = await layer.groups(group);
        if (flags.json) return printJson(groups);
        const rows = memberRows(groups);
        printTable(memberColumns(Date.now()), rows);
        if (rows.length === 0) say(group === undefined ? 'no groups' : `nobody is in group ${group}`);
      });
    });
}
