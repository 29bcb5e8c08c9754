// The runs, the newest first.

import type { JobSummary } from '../../api.js';
import { usePagedList } from '../paged.js';
import { choices, FilterSelect, FilterText } from '../parts/fields.js';
import { Link } from '../parts/link.js';
import { Page } from '../parts/page.js';
import { PagedTable } from '../parts/paged-table.js';
import { Progress, Status } from '../parts/status.js';
import type { TableOf } from '../parts/table.js';
import { Duration, Time } from '../parts/time.js';
import { pickQuery } from '../router.js';

const statuses = {
  ...choices(['running', 'done', 'failed', 'timeout', 'lost', 'cancelled']),
  'failed,timeout,lost': 'failed, timeout or lost',
};

export function RunsPage() {
  const path = `jobs${pickQuery(['rule', 'status', 'since', 'until', 'text'])}`;
  const list = usePagedList<JobSummary>(path, ['jobs']);
  return (
    <Page title="Runs">
      <div class="filters">
        <FilterText name="text" label="Text" placeholder="message, argument, rule" isFirst />
        <FilterText name="rule" label="Rule" placeholder="number or name" />
        <FilterSelect name="status" label="Status" options={statuses} />
        <FilterText name="since" label="Since" placeholder="2h, 20:00, 2026-11-24" />
        <FilterText name="until" label="Until" />
      </div>
      <PagedTable {...table} list={list} />
    </Page>
  );
}

const table: TableOf<JobSummary> = {
  label: 'Runs, the newest first',
  empty: 'No run matches.',
  rowKey: ({ id }) => id,
  columns: [
    { title: 'Run', width: '6.5rem', cell: ({ id }) => <Link to={`/runs/${id}`}>{id}</Link> },
    {
      title: 'Rule',
      width: '14rem',
      cell: ({ rule, ruleName }) => (
        <Link to={`/rules/${rule}`} title={ruleName}>
          {ruleName}
        </Link>
      ),
    },
    { title: 'Status', width: '7rem', cell: ({ status }) => <Status state={status} /> },
    { title: 'Started', width: '13rem', cell: ({ startedAt }) => <Time at={startedAt} /> },
    {
      title: 'Took',
      width: '6rem',
      cell: ({ startedAt, endedAt }) => <Duration from={startedAt} to={endedAt} />,
    },
    {
      title: 'Message',
      cell: ({ status, progress, headline }) =>
        status === 'running' && progress !== null ? <Progress progress={progress} /> : headline,
    },
  ],
};
