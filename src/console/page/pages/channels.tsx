// How full the channels are, what waits on them, and who is in which group.

import { useMemo, useRef } from 'preact/hooks';
import type { ChannelView, GroupView, MessageView } from '../../api.js';
import { announce } from '../announce.js';
import { post } from '../api.js';
import { Action } from '../parts/action.js';
import { confirm, Dialog } from '../parts/dialog.js';
import { FilterText, Tabs } from '../parts/fields.js';
import { formatBytes, formatCount, formatNumber } from '../parts/number.js';
import { Loaded, Page } from '../parts/page.js';
import { Status } from '../parts/status.js';
import { type Column, Table } from '../parts/table.js';
import { Code } from '../parts/text.js';
import { Ago, formatDuration, Time } from '../parts/time.js';
import { useResource } from '../resource.js';
import { queryValue, setQuery } from '../router.js';

export function ChannelsPage() {
  const isGroups = queryValue('tab') === 'groups';
  const channel = queryValue('channel');
  return (
    <Page title="Channels">
      <Tabs label="Channels and groups" name="tab" tabs={tabs} />
      <div class="filters">
        <FilterText name="text" label="Name" isFirst />
      </div>
      {isGroups ? <Groups /> : <Channels />}
      {channel !== '' && <Messages key={`${channel} ${queryValue('show')}`} channel={channel} />}
    </Page>
  );
}

const tabs = [
  { value: 'channels', text: 'Channels' },
  { value: 'groups', text: 'Groups' },
];

/** A channel, and by how many messages a second its depth grew since the reading before. */
type ChannelRow = ChannelView & { readonly rate: number | null };

function Channels() {
  const channels = useResource<readonly ChannelView[]>('channels', ['channels']);
  const rows = useRates(channels.data.value, channels.loadedAt.value);
  const text = queryValue('text');
  return (
    <Loaded resource={channels}>
      {() => (
        <Table
          label="Channels"
          rows={rows.filter(({ channel }) => channel.includes(text))}
          rowKey={({ channel }) => channel}
          empty="No message is on any channel."
          columns={channelColumns}
        />
      )}
    </Loaded>
  );
}

function useRates(channels: readonly ChannelView[] = [], at: number | null): readonly ChannelRow[] {
  const before = useRef({ at, depths: new Map<string, number>() });
  return useMemo(() => {
    const { at: beforeAt, depths } = before.current;
    const seconds = at === null || beforeAt === null ? 0 : (at - beforeAt) / 1000;
    before.current = { at, depths: new Map(channels.map(({ channel, depth }) => [channel, depth])) };
    return channels.map((one) => ({
      ...one,
      rate: seconds > 0 ? (one.depth - (depths.get(one.channel) ?? 0)) / seconds : null,
    }));
  }, [channels, at]);
}

const channelColumns: ReadonlyArray<Column<ChannelRow>> = [
  { title: 'Channel', cell: ({ channel }) => channel },
  { title: 'Depth', cell: (row) => <Depth row={row} /> },
  { title: 'Oldest', cell: ({ oldestAgeMs }) => (oldestAgeMs === null ? '' : formatDuration(oldestAgeMs)) },
  {
    title: 'Change',
    cell: ({ rate }) =>
      rate === null ? '' : `${rate > 0 ? '+' : ''}${formatNumber(Math.round(rate * 10) / 10)}/s`,
  },
  { title: 'On lease', cell: ({ onLease }) => formatNumber(onLease) },
  { title: 'Dropped', cell: ({ dropped }) => formatNumber(dropped) },
  {
    title: 'Dead',
    cell: ({ dead }) => (dead === 0 ? '0' : <Status state="failed" text={formatNumber(dead)} />),
  },
  { title: 'Receivers', cell: ({ receivers }) => receiversText(receivers) },
  { title: 'Messages', cell: (row) => <Show row={row} /> },
];

function Depth({ row: { depth, capacity } }: { readonly row: ChannelRow }) {
  if (capacity === null) return <>0</>;
  const text = `${formatNumber(depth)} of ${formatNumber(capacity)}`;
  if (depth < 0.8 * capacity) return <>{text}</>;
  return depth < capacity ? (
    <Status state="suspended" text={text} />
  ) : (
    <Status state="failed" text={`${text}, full`} />
  );
}

/** `2 waiting, 1 deaf` */
function receiversText(receivers: ChannelView['receivers']): string {
  const counts = new Map<string, number>();
  for (const { state } of receivers) counts.set(state, (counts.get(state) ?? 0) + 1);
  return Array.from(counts, ([state, count]) => `${count} ${state}`).join(', ');
}

function Show({ row: { channel, depth, keys, dead } }: { readonly row: ChannelRow }) {
  const buttons = keys.length > 0 ? keys.map(({ key }) => key) : depth > 0 ? [channel] : [];
  return (
    <span class="actions">
      {buttons.map((key) => (
        <button
          key={key}
          type="button"
          aria-label={`Peek at ${key}`}
          onClick={() => setQuery({ channel: key })}
        >
          {buttons.length > 1 ? key : 'Peek'}
        </button>
      ))}
      {dead > 0 && (
        <button
          type="button"
          aria-label={`Dead letters of ${channel}`}
          onClick={() => setQuery({ channel, show: 'dead' })}
        >
          Dead letters
        </button>
      )}
    </span>
  );
}

/** The next messages of a channel, or its dead letters. */
function Messages({ channel }: { readonly channel: string }) {
  const isDead = queryValue('show') === 'dead';
  const path = `channels/${isDead ? 'dead' : 'peek'}?${new URLSearchParams({ channel })}`;
  const messages = useResource<readonly MessageView[]>(path, ['channels']);
  const redrive = async (what: string, ids?: readonly string[]) => {
    const text = `Puts ${what} back on ${channel}, as new messages.`;
    if (!(await confirm('Redrive', text, 'Redrive'))) return;
    const { redriven } = await post<{ readonly redriven: number }>('channels/redrive', { channel, ids });
    announce(`${formatCount(redriven, 'message')} put back on ${channel}.`);
    messages.reload();
  };
  return (
    <Dialog
      title={`${isDead ? 'Dead letters' : 'Messages'} of ${channel}`}
      onClose={() => setQuery({ channel: null, show: null })}
    >
      <Loaded resource={messages}>
        {(rows) => (
          <>
            {rows.length === 0 && <p class="quiet">There are none.</p>}
            {isDead && rows.length > 0 && (
              <Action run={() => redrive('all dead letters')}>Redrive all</Action>
            )}
            {rows.map(({ id, sentAt, deliveries, reason, bytes, text }, index) => (
              <div key={id ?? index}>
                <p class="small">
                  {isDead ? 'Died ' : 'Sent '}
                  <Time at={sentAt} withDate />, {reason ?? formatCount(deliveries, 'delivery', 'deliveries')}
                  {bytes !== null && `, ${formatBytes(bytes)}`}{' '}
                  {id !== null && (
                    <Action label={`Redrive ${id}`} run={() => redrive(`the dead letter ${id}`, [id])}>
                      Redrive
                    </Action>
                  )}
                </p>
                <Code label={`Message ${index + 1}`} text={text} />
              </div>
            ))}
          </>
        )}
      </Loaded>
    </Dialog>
  );
}

function Groups() {
  const groups = useResource<readonly GroupView[]>('groups', ['channels']);
  const text = queryValue('text');
  return (
    <Loaded resource={groups}>
      {(rows) => (
        <Table
          label="Members of groups"
          rows={rows
            .filter(({ group }) => group.includes(text))
            .flatMap(({ group, members }) => members.map((member) => ({ ...member, group })))}
          rowKey={({ group, channel }) => `${group} ${channel}`}
          empty="No group has members."
          columns={memberColumns}
        />
      )}
    </Loaded>
  );
}

const memberColumns: ReadonlyArray<Column<GroupView['members'][number] & { readonly group: string }>> = [
  { title: 'Group', cell: ({ group }) => group },
  { title: 'Member', cell: ({ channel }) => channel },
  { title: 'Last renewed', cell: ({ renewedAt }) => <Ago at={renewedAt} /> },
];
