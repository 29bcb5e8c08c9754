// Problems first, then today's numbers and what comes next.

import type { JobStatus, OverviewView } from '../../api.js';
import { Link } from '../parts/link.js';
import { formatCount, formatNumber } from '../parts/number.js';
import { Loaded, Page, Section } from '../parts/page.js';
import { Progress, Status } from '../parts/status.js';
import { Table, type TableOf } from '../parts/table.js';
import { Ago, Duration, siteToday, TimeAndAgo } from '../parts/time.js';
import { useResource } from '../resource.js';

export function OverviewPage() {
  const overview = useResource<OverviewView>('overview', ['jobs', 'rules', 'workers', 'channels']);
  return (
    <Page title="Overview">
      <Loaded resource={overview}>
        {({ problems, workers, today, failures, running, next }) => (
          <>
            <Problems problems={problems} workers={workers} />
            <Section title="Runs today">
              <Today today={today} />
            </Section>
            {failures.length > 0 && (
              <Section title="Failed in the last 24 hours">
                <Table {...failureTable} rows={failures} />
              </Section>
            )}
            <Section title="Running">
              <Table {...runningTable} rows={running} />
            </Section>
            <Section title="Next">
              <Table {...nextTable} rows={next} />
            </Section>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Problems({ problems, workers }: Pick<OverviewView, 'problems' | 'workers'>) {
  if (problems.length === 0) {
    return (
      <p class="problem good">
        <Status state="alive" text={`All is well. ${formatCount(workers, 'worker')} alive.`} />
      </p>
    );
  }
  return (
    <ul class="problems" aria-label="Problems">
      {problems.map(({ code, text, link }) => (
        <li key={code + text} class="problem bad">
          <Status state="failed" text="" />
          {link === null ? text : <Link to={link}>{text}</Link>}
        </li>
      ))}
    </ul>
  );
}

const order: readonly JobStatus[] = ['running', 'done', 'failed', 'timeout', 'lost', 'cancelled'];

function Today({ today }: Pick<OverviewView, 'today'>) {
  return (
    <ul class="numbers">
      {order.map((status) => (
        <li key={status}>
          <Link to={`/runs?status=${status}${status === 'running' ? '' : `&since=${siteToday.value}`}`}>
            <strong class="number">{formatNumber(today[status])}</strong> <Status state={status} />
          </Link>
        </li>
      ))}
    </ul>
  );
}

const failureTable: TableOf<OverviewView['failures'][number]> = {
  label: 'Rules with failures',
  empty: '',
  rowKey: ({ last }) => last.rule,
  columns: [
    { title: 'Rule', cell: ({ last }) => <Link to={`/runs/${last.id}`}>{last.ruleName}</Link> },
    { title: 'Times', cell: ({ times }) => formatNumber(times) },
    { title: 'Last', cell: ({ last }) => <Ago at={last.startedAt} /> },
    { title: 'Status', cell: ({ last }) => <Status state={last.status} /> },
    { title: 'Message', cell: ({ last }) => <span class="anywhere">{last.headline}</span> },
  ],
};

const runningTable: TableOf<OverviewView['running'][number]> = {
  label: 'Runs that run',
  empty: 'Nothing runs.',
  rowKey: ({ id }) => id,
  columns: [
    { title: 'Rule', cell: ({ id, ruleName }) => <Link to={`/runs/${id}`}>{ruleName}</Link> },
    { title: 'For', cell: ({ startedAt }) => <Duration from={startedAt} to={null} /> },
    { title: 'Progress', cell: ({ progress }) => progress && <Progress progress={progress} /> },
  ],
};

const nextTable: TableOf<OverviewView['next'][number]> = {
  label: 'What is due next',
  empty: 'Nothing is due.',
  rowKey: ({ rule, at }) => `${rule} ${at}`,
  columns: [
    { title: 'Rule', cell: ({ rule, name }) => <Link to={`/rules/${rule}`}>{name}</Link> },
    { title: 'Due', cell: ({ at }) => <TimeAndAgo at={at} /> },
  ],
};
