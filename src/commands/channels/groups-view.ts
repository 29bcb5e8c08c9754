// Groups and their members, a row a member.

import type { GroupReport } from '../../../channels/index.js';
import { durationText } from '../../duration.js';
import type { Column } from '../output.js';
import { printable } from '../printable.js';

export interface MemberRow {
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
