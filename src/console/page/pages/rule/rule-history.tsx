// Who changed a rule, and taking changes back.

import type { RevisionView } from '../../../api.js';
import { Loaded } from '../../parts/page.js';
import { Table, type TableOf } from '../../parts/table.js';
import { Time } from '../../parts/time.js';
import { useResource } from '../../resource.js';
import { Undo } from './rule-actions.js';

export function RuleHistory({ id }: { readonly id: number }) {
  const history = useResource<readonly RevisionView[]>(`rules/${id}/history`, ['rules']);
  return (
    <Loaded resource={history}>
      {(rows) => <Table {...table} rows={rows.map((row) => ({ ...row, rule: id }))} />}
    </Loaded>
  );
}

const table: TableOf<RevisionView & { readonly rule: number }> = {
  label: 'Changes, the newest first',
  rowKey: ({ revision }) => revision,
  empty: 'Nobody has changed it.',
  columns: [
    { title: 'Change', cell: ({ revision }) => revision },
    { title: 'Time', cell: ({ at }) => <Time at={at} withDate /> },
    { title: 'Who', cell: ({ by }) => by },
    { title: 'How', cell: ({ how }) => how },
    { title: 'What', cell: ({ text }) => <span class="anywhere">{text}</span> },
    { title: 'Undo', cell: ({ canUndo, ...change }) => canUndo && <Undo {...change} /> },
  ],
};
