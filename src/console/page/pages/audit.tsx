// Who changed what.

import type { AuditRow } from '../../api.js';
import { announce } from '../announce.js';
import { post } from '../api.js';
import { usePagedList } from '../paged.js';
import { Action } from '../parts/action.js';
import { confirm } from '../parts/dialog.js';
import { Link } from '../parts/link.js';
import { Page } from '../parts/page.js';
import { PagedTable } from '../parts/paged-table.js';
import type { Column } from '../parts/table.js';
import { Time } from '../parts/time.js';

export function AuditPage() {
  const list = usePagedList<AuditRow>('audit', ['audit']);
  return (
    <Page title="Audit">
      <PagedTable
        label="Changes, the newest first"
        list={list}
        rowKey={({ id }) => id}
        empty="Nobody has changed anything."
        columns={columns}
      />
    </Page>
  );
}

const columns: ReadonlyArray<Column<AuditRow>> = [
  { title: 'Time', width: '13rem', cell: ({ at }) => <Time at={at} withDate /> },
  {
    title: 'User',
    width: '8rem',
    cell: ({ user, role, address }) => (
      <span title={[role, address].filter((part) => part !== null).join(', from ')}>{user}</span>
    ),
  },
  { title: 'Action', width: '9rem', cell: ({ action }) => action },
  { title: 'Of', width: '9rem', cell: ({ target }) => <Target target={target} /> },
  { title: 'Detail', class: 'wide', cell: ({ detail }) => <span title={detail}>{detail}</span> },
  { title: 'Undo', width: '5rem', cell: (row) => <Undo row={row} /> },
];

/** `rule 3` and `job 4` lead there. */
function Target({ target }: Pick<AuditRow, 'target'>) {
  const [, kind, id] = /^(rule|job) (\d+)$/.exec(target) ?? [];
  if (id === undefined) return <>{target}</>;
  return <Link to={`/${kind === 'rule' ? 'rules' : 'runs'}/${id}`}>{target}</Link>;
}

function Undo({ row: { undo, detail, target } }: { readonly row: AuditRow }) {
  if (undo === null) return null;
  const run = async () => {
    if (!(await confirm('Undo a change', `Takes back this change of ${target}: ${detail}`, 'Undo'))) return;
    await post(`rules/${undo.rule}/undo`, { revision: undo.revision });
    announce(`The change of ${target} is undone.`);
  };
  return (
    <Action label={`Undo revision ${undo.revision} of ${target}`} needs="admin" run={run}>
      Undo
    </Action>
  );
}
