// Which workers live and how they are.

import type { WorkerView } from '../../api.js';
import { request } from '../api.js';
import { Action } from '../parts/action.js';
import { formatBytes, formatNumber } from '../parts/number.js';
import { Loaded, Page } from '../parts/page.js';
import { Status } from '../parts/status.js';
import { Table, type TableOf } from '../parts/table.js';
import { Ago } from '../parts/time.js';
import { useResource } from '../resource.js';

export function WorkersPage() {
  const workers = useResource<readonly WorkerView[]>('workers', ['workers']);
  return (
    <Page title="Workers">
      <Loaded resource={workers}>{(rows) => <Table {...table} rows={rows} />}</Loaded>
    </Page>
  );
}

const table: TableOf<WorkerView> = {
  label: 'Workers',
  empty: 'No worker lives. Start one with: runworker',
  rowKey: ({ id }) => id,
  columns: [
    {
      title: 'Worker',
      cell: ({ id, host, pid }) => (
        <span title={`on ${host}, process ${pid}`} class="anywhere">
          {id}
        </span>
      ),
    },
    { title: 'State', cell: (worker) => <State worker={worker} /> },
    { title: 'Heartbeat', cell: ({ heartbeatAt }) => <Ago at={heartbeatAt} /> },
    { title: 'Started', cell: ({ startedAt }) => <Ago at={startedAt} /> },
    { title: 'Tasks', cell: ({ tasks }) => tasks },
    { title: 'Logger', cell: ({ logger }) => logger },
    { title: 'Memory', cell: ({ memoryBytes }) => memoryBytes !== null && formatBytes(memoryBytes) },
    {
      title: 'Loop lag',
      cell: ({ loopLagMs }) => loopLagMs !== null && `${formatNumber(Math.round(loopLagMs))} ms`,
    },
    { title: 'Version', cell: ({ version }) => version },
    { title: 'Actions', cell: (worker) => <Actions worker={worker} /> },
  ],
};

function State({ worker: { state, listeners } }: { readonly worker: WorkerView }) {
  const broken = listeners.filter(({ lastError }) => lastError !== null);
  return (
    <>
      <Status state={state} />
      {broken.map(({ channel, state, lastError }) => (
        <p key={channel} class="bad small">
          {channel} is {state}: {lastError}
        </p>
      ))}
    </>
  );
}

function Actions({ worker: { id, host, pid, state } }: { readonly worker: WorkerView }) {
  const name = `the worker ${host}, process ${pid}`;
  const text = `It finishes its runs, starts no others, and ends. Only a new start brings ${name} back.`;
  const verb = state === 'paused' ? 'Resume' : 'Pause';
  const order = (word: string) => request(`workers/${encodeURIComponent(id)}/${word.toLowerCase()}`);
  return (
    <span class="actions">
      <Action label={`${verb} ${name}`} run={() => order(verb)} children={verb} />
      <Action
        label={`Drain ${name}`}
        needs="admin"
        isDisabled={state === 'draining'}
        question={{ title: 'Drain a worker', text, action: 'Drain' }}
        run={() => order('drain')}
      >
        Drain
      </Action>
    </span>
  );
}
