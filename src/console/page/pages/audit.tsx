// Who changed what.

import type { AuditRow } from '../../api.js';
import { usePagedList } from '../paged.js';
import { Link } from '../parts/link.js';
import { Page } from '../parts/page.js';
import { PagedTable } from '../parts/paged-table.js';
import type { TableOf } from '../parts/table.js';
import { Time } from '../parts/time.js';
import { Undo } from './rule/rule-actions.js';

export function AuditPage() {
  const list = usePagedList<AuditRow>('audit', ['audit']);
  return (
    <Page title="Audit">
      <PagedTable {...table} list={list} />
    </Page>
  );
}

const table: TableOf<AuditRow> = {
  label: 'Changes, the newest first',
  empty: 'Nobody has changed anything.',
  rowKey: ({ id }) => id,
  columns: [
    { title: 'Time', width: '13rem', cell: ({ at }) => <Time at={at} withDate /> },
    {
      title: 'User',
      width: '8rem',
      cell: ({ user, role, address }) => <span title={`${role}, from ${address}`}>{user}</span>,
    },
    { title: 'Action', width: '9rem', cell: ({ action }) => action },
    { title: 'Target', width: '9rem', cell: ({ target }) => <Target target={target} /> },
    { title: 'Detail', class: 'wide', cell: ({ detail }) => detail },
    { title: 'Undo', width: '5rem', cell: ({ undo, detail }) => undo && <Undo {...undo} text={detail} /> },
  ],
};

/** `rule 3` and `job 4` lead there. */
function Target({ target }: Pick<AuditRow, 'target'>) {
  const [, kind, id] = /^(rule|job) (\d+)$/.exec(target) ?? [];
  if (id === undefined) return <>{target}</>;
  return <Link to={`/${kind === 'rule' ? 'rules' : 'runs'}/${id}`}>{target}</Link>;
}
