// Problems first, then today's numbers and what comes next.

import type { JobStatus, OverviewView } from '../../api.js';
import { Link } from '../parts/link.js';
import { formatCount, formatNumber } from '../parts/number.js';
import { Loaded, Page } from '../parts/page.js';
import { Progress } from '../parts/progress.js';
import { Status } from '../parts/status.js';
import { Table } from '../parts/table.js';
import { Ago, Duration, siteToday, TimeAndAgo } from '../parts/time.js';
import { useResource } from '../resource.js';

export function OverviewPage() {
  const overview = useResource<OverviewView>('overview', ['jobs', 'rules', 'workers', 'channels']);
  return (
    <Page title="Overview">
      <Loaded resource={overview}>
        {(view) => (
          <>
            <Problems problems={view.problems} workers={view.workers} />
            <Today today={view.today} />
            {view.failures.length > 0 && <Failures failures={view.failures} />}
            <Running running={view.running} />
            <Next next={view.next} />
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
    <section aria-labelledby="today">
      <h2 id="today">Runs today</h2>
      <ul class="numbers">
        {order.map((status) => (
          <li key={status}>
            <Link to={`/runs?status=${status}${status === 'running' ? '' : `&since=${siteToday.value}`}`}>
              <strong class="number">{formatNumber(today[status])}</strong> <Status state={status} />
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Failures({ failures }: Pick<OverviewView, 'failures'>) {
  return (
    <section aria-labelledby="failures">
      <h2 id="failures">Failed in the last 24 hours</h2>
      <Table
        label="Rules with failures"
        rows={failures}
        rowKey={({ last }) => last.rule}
        empty=""
        columns={[
          { title: 'Rule', cell: ({ last }) => <Link to={`/runs/${last.id}`}>{last.ruleName}</Link> },
          { title: 'Times', cell: ({ times }) => formatNumber(times) },
          { title: 'Last', cell: ({ last }) => <Ago at={last.startedAt} /> },
          { title: 'Status', cell: ({ last }) => <Status state={last.status} /> },
          { title: 'Message', cell: ({ last }) => last.headline },
        ]}
      />
    </section>
  );
}

function Running({ running }: Pick<OverviewView, 'running'>) {
  return (
    <section aria-labelledby="running">
      <h2 id="running">Running</h2>
      <Table
        label="Runs that run"
        rows={running}
        rowKey={({ id }) => id}
        empty="Nothing runs."
        columns={[
          { title: 'Rule', cell: ({ id, ruleName }) => <Link to={`/runs/${id}`}>{ruleName}</Link> },
          { title: 'For', cell: ({ startedAt }) => <Duration from={startedAt} to={null} /> },
          {
            title: 'Progress',
            cell: ({ progress }) => progress !== null && <Progress progress={progress} />,
          },
        ]}
      />
    </section>
  );
}

function Next({ next }: Pick<OverviewView, 'next'>) {
  return (
    <section aria-labelledby="next">
      <h2 id="next">Next</h2>
      <Table
        label="What is due next"
        rows={next}
        rowKey={({ rule, at }) => `${rule} ${at}`}
        empty="Nothing is due."
        columns={[
          { title: 'Rule', cell: ({ rule, name }) => <Link to={`/rules/${rule}`}>{name}</Link> },
          { title: 'Due', cell: ({ at }) => <TimeAndAgo at={at} /> },
        ]}
      />
    </section>
  );
}
