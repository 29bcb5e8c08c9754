// The channels of the site's layer, their messages, and its groups.

import * as v from 'valibot';
import type { ChannelFigures, ChannelLayer } from '../../../channels/index.js';
import { Workers } from '../../actors/tables.js';
import { layerName, messageText, requireKept } from '../../insight/channel-messages.js';
import { parseHealth } from '../../membership/worker-health.js';
import type { WorkerRow } from '../../store/schema.js';
import type { ChannelView, GroupView, MessageView } from '../api.js';
import type { ConsoleContext } from '../context.js';
import { badRequest } from '../errors.js';
import { bodyOf, change, type Route, type RouteRequest, read } from '../router.js';

/** More are not shown at once. */
const maxMessages = 100;

const redriveBody = v.object({ channel: v.string(), ids: v.optional(v.array(v.string())) });

export const channelsRoutes: readonly Route[] = [
  read('api/channels', async ({ context, actor }) => {
    const [{ channels }, workers] = await Promise.all([kept(context).stats(), Workers.rows(actor)]);
    return channelViews(channels, workers);
  }),
  read('api/channels/peek', async (request): Promise<MessageView[]> => {
    const peeked = await kept(request.context).peek(channelOf(request), { max: maxMessages });
    return peeked.map((message) => ({
      id: null,
      reason: null,
      sentAt: isoOf(message.sentAt),
      deliveries: message.deliveries,
      bytes: message.bytes,
      text: messageText(message, request.context.redaction),
    }));
  }),
  read('api/channels/dead', async (request): Promise<MessageView[]> => {
    const letters = await kept(request.context).deadLetters(channelOf(request), { max: maxMessages });
    return letters.map(({ id, diedAt, deliveries, reason, message }) => ({
      id,
      reason,
      sentAt: isoOf(diedAt),
      deliveries,
      bytes: null,
      text: messageText({ message, channels: [] }, request.context.redaction),
    }));
  }),
  change('api/channels/redrive', 'channel.redrive', async (request, note) => {
    const { channel, ids } = bodyOf(request, redriveBody);
    note({ target: `channel ${channel}`, detail: ids === undefined ? 'all dead letters' : ids.join(', ') });
    return { redriven: await kept(request.context).redrive(channel, ids) };
  }),
  read(
    'api/groups',
    async ({ context }): Promise<GroupView[]> =>
      (await kept(context).groups()).map(({ group, members }) => ({
        group,
        members: members.map(({ channel, renewedAt }) => ({ channel, renewedAt: isoOf(renewedAt) })),
      })),
  ),
];

function kept({ layer, site }: ConsoleContext): ChannelLayer {
  requireKept(layer, layerName(site.settings.channelLayer));
  return layer;
}

function channelOf({ query }: RouteRequest): string {
  const channel = query.get('channel') ?? '';
  if (channel === '') throw badRequest('expected the name of a channel');
  return channel;
}

function isoOf(instant: number | undefined): string | null {
  return instant === undefined ? null : new Date(instant).toISOString();
}

type Receiver = ChannelView['receivers'][number] & { readonly dropped: number };

function channelViews(channels: readonly ChannelFigures[], workers: readonly WorkerRow[]): ChannelView[] {
  const receivers = receiversOf(workers);
  const known = new Set(channels.map(({ channel }) => channel));
  const quiet = [...receivers.keys()].filter((channel) => !known.has(channel));
  const nothing = { depth: 0, capacity: null, onLease: 0, dead: 0 };
  const all = [
    ...channels,
    ...quiet.map((channel) => ({ ...nothing, channel, oldestAgeMs: undefined, keys: [] })),
  ];
  return all.map(({ channel, depth, capacity, oldestAgeMs, onLease, dead, keys = [] }) => {
    const own = receivers.get(channel) ?? [];
    const dropped = own.reduce((sum, receiver) => sum + receiver.dropped, 0);
    const shown = own.map(({ worker, state }) => ({ worker, state }));
    const age = oldestAgeMs ?? null;
    return { channel, depth, capacity, oldestAgeMs: age, onLease, dead, dropped, keys, receivers: shown };
  });
}

/** The listeners by channel; those on channels of processes by the name that sums them up. */
function receiversOf(workers: readonly WorkerRow[]): Map<string, Receiver[]> {
  const found = new Map<string, Receiver[]>();
  for (const { id, health } of workers) {
    for (const { channel, state, dropped } of parseHealth(health)?.listeners ?? []) {
      const name = channel.replace(/[^.]*!.*/, '*!');
      found.set(name, [...(found.get(name) ?? []), { worker: id, state, dropped }]);
    }
  }
  return found;
}
