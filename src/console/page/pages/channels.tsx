// How full the channels are, what waits on them, and who is in which group.

import { useRef } from 'preact/hooks';
import type { ChannelView, GroupView, MessageView } from '../../api.js';
import { post } from '../api.js';
import { Action } from '../parts/action.js';
import { Dialog } from '../parts/dialog.js';
import { FilterText, Tabs } from '../parts/fields.js';
import { formatBytes, formatCount, formatCounts, formatNumber } from '../parts/number.js';
import { Loaded, Page } from '../parts/page.js';
import { Status } from '../parts/status.js';
import { Table, type TableOf } from '../parts/table.js';
import { Code } from '../parts/text.js';
import { Ago, formatDuration, Time } from '../parts/time.js';
import { useResource } from '../resource.js';
import { queryValue, setQuery } from '../router.js';

const tabs = { channels: 'Channels', groups: 'Groups' };

export function ChannelsPage() {
  const channel = queryValue('channel');
  return (
    <Page title="Channels">
      <Tabs label="Channels and groups" name="tab" tabs={tabs} />
      <div class="filters">
        <FilterText name="text" label="Name" isFirst />
      </div>
      {queryValue('tab') === 'groups' ? <Groups /> : <Channels />}
      {channel !== '' && <Messages key={`${channel} ${queryValue('show')}`} channel={channel} />}
    </Page>
  );
}

function Channels() {
  const channels = useResource<readonly ChannelView[]>('channels', ['channels']);
  const rateOf = useRates(channels.data.value);
  const text = queryValue('text');
  return (
    <Loaded resource={channels}>
      {(all) => (
        <Table
          {...channelTable}
          rows={all
            .filter(({ channel }) => channel.includes(text))
            .map((one) => ({ ...one, rate: rateOf(one) }))}
        />
      )}
    </Loaded>
  );
}

/** By how many messages a second the depth of a channel grew since the reading before; empty without one. */
function useRates(channels: readonly ChannelView[] = []): (channel: ChannelView) => string {
  const readings = useRef([{ channels, at: Date.now() }]);
  const [last] = readings.current;
  if (last?.channels !== channels)
    readings.current = [{ channels, at: Date.now() }, ...readings.current].slice(0, 2);
  const [now, before] = readings.current;
  return ({ channel, depth }) => {
    if (now === undefined || before === undefined || before.channels.length === 0) return '';
    const oldDepth = before.channels.find((one) => one.channel === channel)?.depth ?? 0;
    const rate = (1000 * (depth - oldDepth)) / (now.at - before.at);
    return `${rate > 0 ? '+' : ''}${formatNumber(Math.round(rate * 10) / 10)}/s`;
  };
}

const channelTable: TableOf<ChannelView & { readonly rate: string }> = {
  label: 'Channels',
  empty: 'No message is on any channel.',
  rowKey: ({ channel }) => channel,
  columns: [
    { title: 'Channel', cell: ({ channel }) => channel },
    { title: 'Depth', cell: (row) => <Depth row={row} /> },
    { title: 'Oldest', cell: ({ oldestAgeMs }) => oldestAgeMs !== null && formatDuration(oldestAgeMs) },
    { title: 'Change', cell: ({ rate }) => rate },
    { title: 'On lease', cell: ({ onLease }) => formatNumber(onLease) },
    { title: 'Dropped', cell: ({ dropped }) => formatNumber(dropped) },
    {
      title: 'Dead',
      cell: ({ dead }) => (dead === 0 ? '0' : <Status state="failed" text={formatNumber(dead)} />),
    },
    { title: 'Receivers', cell: ({ receivers }) => formatCounts(receivers.map(({ state }) => state)) },
    { title: 'Messages', cell: (row) => <Show row={row} /> },
  ],
};

interface ChannelProps {
  readonly row: ChannelView;
}

function Depth({ row: { depth, capacity } }: ChannelProps) {
  if (capacity === null) return <>0</>;
  const text = `${formatNumber(depth)} of ${formatNumber(capacity)}`;
  if (depth < 0.8 * capacity) return <>{text}</>;
  const isFull = depth >= capacity;
  return <Status state={isFull ? 'failed' : 'suspended'} text={isFull ? `${text}, full` : text} />;
}

function Show({ row: { channel, depth, keys, dead } }: ChannelProps) {
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
  return (
    <Dialog
      title={`${isDead ? 'Dead letters' : 'Messages'} of ${channel}`}
      onClose={() => setQuery({ channel: null, show: null })}
    >
      <Loaded resource={messages}>
        {(rows) => (
          <>
            {rows.length === 0 && <p class="quiet">There are none.</p>}
            {isDead && rows.length > 0 && <Redrive channel={channel} onDone={messages.reload} />}
            {rows.map(({ id, sentAt, deliveries, reason, bytes, text }, index) => (
              <div key={id ?? index}>
                <p class="small">
                  {isDead ? 'Died ' : 'Sent '}
                  <Time at={sentAt} withDate />, {reason ?? formatCount(deliveries, 'delivery', 'deliveries')}
                  {bytes !== null && `, ${formatBytes(bytes)}`}{' '}
                  {id !== null && <Redrive channel={channel} id={id} onDone={messages.reload} />}
                </p>
                <Code label={`Message ${index + 1}`} children={text} />
              </div>
            ))}
          </>
        )}
      </Loaded>
    </Dialog>
  );
}

interface RedriveProps {
  readonly channel: string;
  /** One dead letter; without it all. */
  readonly id?: string;
  readonly onDone: () => void;
}

function Redrive({ channel, id, onDone }: RedriveProps) {
  const name = id === undefined ? 'Redrive all' : `Redrive ${id}`;
  const what = id === undefined ? 'all dead letters' : `the dead letter ${id}`;
  const text = `Puts ${what} back on ${channel}, as new messages.`;
  const run = async () => {
    const body = { channel, ...(id === undefined ? {} : { ids: [id] }) };
    const { redriven } = await post<{ readonly redriven: number }>('channels/redrive', body);
    onDone();
    return `${formatCount(redriven, 'message')} put back on ${channel}.`;
  };
  return (
    <Action label={name} question={{ title: 'Redrive', text, action: 'Redrive' }} run={run}>
      {id === undefined ? name : 'Redrive'}
    </Action>
  );
}

function Groups() {
  const groups = useResource<readonly GroupView[]>('groups', ['channels']);
  const text = queryValue('text');
  return (
    <Loaded resource={groups}>
      {(rows) => (
        <Table
          {...memberTable}
          rows={rows
            .filter(({ group }) => group.includes(text))
            .flatMap(({ group, members }) => members.map((member) => ({ ...member, group })))}
        />
      )}
    </Loaded>
  );
}

const memberTable: TableOf<GroupView['members'][number] & { readonly group: string }> = {
  label: 'Members of groups',
  empty: 'No group has members.',
  rowKey: ({ group, channel }) => `${group} ${channel}`,
  columns: [
    { title: 'Group', cell: ({ group }) => group },
    { title: 'Member', cell: ({ channel }) => channel },
    { title: 'Last renewed', cell: ({ renewedAt }) => <Ago at={renewedAt} /> },
  ],
};
