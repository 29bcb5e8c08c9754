// The open WebSockets of all servers.

import { useRef } from 'preact/hooks';
import type { SocketsView, SocketView } from '../../api.js';
import { announce } from '../announce.js';
import { post } from '../api.js';
import { Action } from '../parts/action.js';
import { confirm } from '../parts/dialog.js';
import { FilterText } from '../parts/fields.js';
import { formatBytes, formatNumber } from '../parts/number.js';
import { Loaded, Page } from '../parts/page.js';
import { type Column, Table } from '../parts/table.js';
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
              label="Open WebSockets"
              rows={sockets.filter(({ id, path, client, groups }) =>
                [id, path, client ?? '', ...groups].some((value) => value.includes(text)),
              )}
              rowKey={({ id }) => id}
              empty="No such WebSocket is open."
              columns={columns}
            />
          </>
        )}
      </Loaded>
    </Page>
  );
}

const columns: ReadonlyArray<Column<SocketView>> = [
  { name: 'path', title: 'Path', cell: ({ path, id }) => <span title={id}>{path}</span> },
  { name: 'client', title: 'Client', isWide: true, cell: ({ client }) => client },
  { name: 'age', title: 'Age', isNumber: true, cell: ({ ageMs }) => formatDuration(ageMs) },
  { name: 'queued', title: 'Queued', isNumber: true, cell: ({ queuedBytes }) => formatBytes(queuedBytes) },
  { name: 'sent', title: 'Sent', isNumber: true, isWide: true, cell: ({ sent }) => formatNumber(sent) },
  {
    name: 'received',
    title: 'Received',
    isNumber: true,
    isWide: true,
    cell: ({ received }) => formatNumber(received),
  },
  {
    name: 'dropped',
    title: 'Dropped',
    isNumber: true,
    isWide: true,
    cell: ({ dropped }) => formatNumber(dropped),
  },
  { name: 'groups', title: 'Groups', isWide: true, cell: ({ groups }) => groups.join(', ') },
  { name: 'pid', title: 'Process', isWide: true, cell: ({ pid }) => pid },
  { name: 'actions', title: 'Actions', cell: (socket) => <Close socket={socket} /> },
];

function Close({ socket: { id, path, client } }: { readonly socket: SocketView }) {
  const run = async () => {
    const text = `Closes the WebSocket of ${client ?? 'a client'} at ${path}, with code 1001.`;
    if (!(await confirm('Close a WebSocket', text, 'Close it'))) return;
    await post(`sockets/${encodeURIComponent(id)}/close`);
    announce(`The WebSocket ${id} is closed.`);
  };
  return (
    <Action label={`Close ${id}`} run={run}>
      Close
    </Action>
  );
}
