// Who changed a rule, and taking changes back.

import type { Requested, RevisionView } from '../../api.js';
import { announce } from '../announce.js';
import { post } from '../api.js';
import { Action } from '../parts/action.js';
import { confirm } from '../parts/dialog.js';
import { Loaded } from '../parts/page.js';
import { type Column, Table } from '../parts/table.js';
import { Time } from '../parts/time.js';
import { useResource } from '../resource.js';

interface RuleHistoryProps {
  readonly id: number;
  readonly name: string;
}

export function RuleHistory({ id, name }: RuleHistoryProps) {
  const history = useResource<readonly RevisionView[]>(`rules/${id}/history`, ['rules']);
  const undo = async ({ revision, text }: RevisionView) => {
    const question = `Takes back change ${revision} and all later ones, which people made. It was: ${text}`;
    if (!(await confirm('Undo changes', question, 'Undo'))) return;
    const answer = await post<Requested>(`rules/${id}/undo`, { revision });
    announce(`${name}: ${answer.text}`);
  };
  const columns: ReadonlyArray<Column<RevisionView>> = [
    { title: 'Change', cell: ({ revision }) => revision },
    { title: 'Time', cell: ({ at }) => <Time at={at} withDate /> },
    { title: 'Who', cell: ({ by }) => by },
    { title: 'How', cell: ({ how }) => how },
    { title: 'What', cell: ({ text }) => <span class="anywhere">{text}</span> },
    {
      title: 'Undo',
      cell: (row) =>
        row.canUndo && (
          <Action label={`Undo from change ${row.revision} on`} needs="admin" run={() => undo(row)}>
            Undo
          </Action>
        ),
    },
  ];
  return (
    <Loaded resource={history}>
      {(rows) => (
        <Table
          label="Changes, the newest first"
          columns={columns}
          rows={rows}
          rowKey={({ revision }) => revision}
          empty="Nobody has changed it."
        />
      )}
    </Loaded>
  );
}
