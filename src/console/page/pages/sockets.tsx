// The open WebSockets of all servers.

import { useRef } from 'preact/hooks';
import type { SocketsView, SocketView } from '../../api.js';
import { post } from '../api.js';
import { Action } from '../parts/action.js';
import { FilterText } from '../parts/fields.js';
import { formatBytes, formatNumber } from '../parts/number.js';
import { Loaded, Page } from '../parts/page.js';
import { Table, type TableOf } from '../parts/table.js';
import { formatDuration, Time } from '../parts/time.js';
import { useResource } from '../resource.js';
import { queryValue } from '../router.js';

export function SocketsPage() {
  const sockets = useResource<SocketsView>('sockets', ['channels']);
  const text = queryValue('text');
  // The site forgets a server that was silent once, so that nobody waits for it again. Here it stays.
  const missed = useRef(new Map<string, string>()).current;
  for (const server of sockets.data.value?.silent ?? []) missed.set(server, new Date().toISOString());
  return (
    <Page title="Sockets">
      <div class="filters">
        <FilterText name="text" label="Path, client, group or id" isFirst />
      </div>
      <Loaded resource={sockets}>
        {({ sockets }) => (
          <>
            {[...missed].map(([server, at]) => (
              <p key={server} class="problem bad">
                The server {server} did not answer at <Time at={at} />.
              </p>
            ))}
            <Table
              {...table}
              rows={sockets.filter(({ id, path, client, groups }) =>
                [id, path, client ?? '', ...groups].some((value) => value.includes(text)),
              )}
            />
          </>
        )}
      </Loaded>
    </Page>
  );
}

const table: TableOf<SocketView> = {
  label: 'Open WebSockets',
  empty: 'No such WebSocket is open.',
  rowKey: ({ id }) => id,
  columns: [
    { title: 'Path', cell: ({ path, id }) => <span title={id}>{path}</span> },
    { title: 'Client', cell: ({ client }) => client },
    { title: 'Age', cell: ({ ageMs }) => formatDuration(ageMs) },
    { title: 'Queued', cell: ({ queuedBytes }) => formatBytes(queuedBytes) },
    { title: 'Sent', cell: ({ sent }) => formatNumber(sent) },
    { title: 'Received', cell: ({ received }) => formatNumber(received) },
    { title: 'Dropped', cell: ({ dropped }) => formatNumber(dropped) },
    { title: 'Groups', cell: ({ groups }) => groups.join(', ') },
    { title: 'Process', cell: ({ pid }) => pid },
    { title: 'Actions', cell: (socket) => <Close socket={socket} /> },
  ],
};

function Close({ socket: { id, path, client } }: { readonly socket: SocketView }) {
  const text = `Closes the WebSocket of ${client ?? 'a client'} at ${path}, with code 1001.`;
  const run = async () => {
    await post(`sockets/${encodeURIComponent(id)}/close`);
    return `The WebSocket ${id} is closed.`;
  };
  return (
    <Action
      label={`Close ${id}`}
      needs="admin"
      question={{ title: 'Close a WebSocket', text, action: 'Close it' }}
      run={run}
    >
      Close
    </Action>
  );
}
