// Which workers live and how they are.

import type { WorkerView } from '../../api.js';
import { announce } from '../announce.js';
import { post } from '../api.js';
import { Action } from '../parts/action.js';
import { confirm } from '../parts/dialog.js';
import { formatBytes, formatNumber } from '../parts/number.js';
import { Loaded, Page } from '../parts/page.js';
import { Status } from '../parts/status.js';
import { type Column, Table } from '../parts/table.js';
import { Ago } from '../parts/time.js';
import { type Resource, useResource } from '../resource.js';

type Workers = Resource<readonly WorkerView[]>;

export function WorkersPage() {
  const workers: Workers = useResource('workers', ['workers']);
  return (
    <Page title="Workers">
      <Loaded resource={workers}>
        {(rows) => (
          <Table
            label="Workers"
            rows={rows}
            rowKey={({ id }) => id}
            empty="No worker lives. Start one with: runworker"
            columns={columnsFor(workers)}
          />
        )}
      </Loaded>
    </Page>
  );
}

function columnsFor(workers: Workers): ReadonlyArray<Column<WorkerView>> {
  return [
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
    { title: 'Memory', cell: ({ memoryBytes }) => (memoryBytes === null ? '' : formatBytes(memoryBytes)) },
    {
      title: 'Loop lag',
      cell: ({ loopLagMs }) => (loopLagMs === null ? '' : `${formatNumber(Math.round(loopLagMs))} ms`),
    },
    { title: 'Version', cell: ({ version }) => version },
    { title: 'Actions', cell: (worker) => <Actions worker={worker} onDone={workers.reload} /> },
  ];
}

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

interface ActionsProps {
  readonly worker: WorkerView;
  readonly onDone: () => void;
}

function Actions({ worker: { id, host, pid, state }, onDone }: ActionsProps) {
  const name = `the worker ${host}, process ${pid}`;
  const change = async (verb: 'pause' | 'resume' | 'drain') => {
    const answer = await post<{ readonly text?: string } | null>(`workers/${encodeURIComponent(id)}/${verb}`);
    announce(answer?.text ?? `Asked ${name} to ${verb}.`);
    onDone();
  };
  const drain = async () => {
    const text = `It finishes its runs, starts no others, and ends. Only a new start brings ${name} back.`;
    if (await confirm('Drain a worker', text, 'Drain')) await change('drain');
  };
  return (
    <span class="actions">
      {state === 'paused' ? (
        <Action label={`Resume ${name}`} run={() => change('resume')}>
          Resume
        </Action>
      ) : (
        <Action label={`Pause ${name}`} run={() => change('pause')}>
          Pause
        </Action>
      )}
      <Action label={`Drain ${name}`} needs="admin" isDisabled={state === 'draining'} run={drain}>
        Drain
      </Action>
    </span>
  );
}
