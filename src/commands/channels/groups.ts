// linod channels groups: who is in which group.

import type { Command } from 'commander';
import type { GroupReport } from '../../../channels/index.js';
import { durationText } from '../../duration.js';
import { type Column, printJson, printTable, say } from '../output.js';
import { printable } from '../printable.js';
import { type LayerFlags, layerCommand, withLayer } from './with-layer.js';

export function groupsCommand(): Command {
  return layerCommand(
    'groups',
    'the groups, their members, and when each was last added',
    'Example:\n  $ linod channels groups linod_mysite.workers',
  )
    .argument('[group]', 'only this one')
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

interface MemberRow {
  readonly group: string;
  readonly channel: string;
  readonly renewedAt: number | undefined;
}

export function memberRows(groups: readonly GroupReport[]): MemberRow[] {
  return groups.flatMap(({ group, members }) =>
    members.map(({ channel, renewedAt }) => ({ group, channel, renewedAt })),
  );
}

/** @param now ms since 1970 */
export function memberColumns(now: number): ReadonlyArray<Column<MemberRow>> {
  return [
    { title: 'group', cell: ({ group }) => printable(group) },
    { title: 'member', cell: ({ channel }) => printable(channel) },
    {
      title: 'last renewed',
      cell: ({ renewedAt }) =>
        renewedAt === undefined ? 'not known' : `${durationText(now - renewedAt)} ago`,
    },
  ];
}
