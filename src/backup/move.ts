// Copies a site to another database or channel layer. The source keeps everything.

import type { ChannelLayer, Message, OpenLayerOptions, Received } from '../../channels/index.js';
import type { Site } from '../site/site.js';
import { openStore, type Store } from '../store/store.js';
import { type CopiedTable, copyRows, filledTables, type OnRows } from './copy-rows.js';
import { CopyDiffersError, MoveIncompleteError, RefusedError } from './errors.js';
import { refuseWorkers } from './refuse-workers.js';
import { refuseUnknownOwners } from './site-tables.js';

export interface MoveOptions {
  readonly site: Site;
  readonly store: Store;
  /** The same site with the other database, the other channel layer, or both. */
  readonly target: Site;
  readonly parts: ReadonlyArray<'database' | 'layer'>;
  readonly onRows: OnRows;
}

export interface MoveReport {
  readonly tables: readonly CopiedTable[];
  readonly channels: readonly CopiedChannel[];
}

export interface CopiedChannel {
  readonly channel: string;
  readonly messages: number;
  /** Dead letters, which stay in the source. */
  readonly dead: number;
}

interface Closable {
  close(): Promise<void>;
}

/** The target takes whatever waits in the source. */
const movedLayer: OpenLayerOptions = { capacity: 1_000_000 };

/**
 * Copies all rows into an empty database of any kind, and the messages that wait on named channels into another
 * layer, and compares. Messages for a single process are not copied: that process ends with the move. Messages
 * with a lease are copied as waiting ones.
 *
 * @throws RefusedError, before anything is copied, while a worker runs or when a target is not empty;
 *   CopyDiffersError; MoveIncompleteError (`LINOD_ERR_MOVE_INCOMPLETE`) when only the database was copied
 */
export async function move({ site, store, target, parts, onRows }: MoveOptions): Promise<MoveReport> {
  await refuseWorkers(site, store);
  const opened: Closable[] = [];
  const open = async <T extends Closable>(opening: Promise<T>): Promise<T> => {
    const thing = await opening;
    opened.push(thing);
    return thing;
  };
  try {
    // Examines both targets before it fills one. The layer first: opening a database makes its tables.
    let copyMessages: () => Promise<CopiedChannel[]> = async () => [];
    if (parts.includes('layer')) {
      const [from, to] = [await open(site.openLayer()), await open(target.openLayer(movedLayer))];
      const channels = await channelsToCopy(from, to);
      copyMessages = () => copyChannels(from, to, channels);
    }
    let copyDatabase: () => Promise<CopiedTable[]> = async () => [];
    if (parts.includes('database')) {
      await refuseUnknownOwners(store);
      const other = await open(openStore(target));
      const filled = await filledTables(other);
      if (filled.length > 0)
        throw new RefusedError(
          `the database ${other.name} is not empty: it has rows in ${filled.join(', ')}`,
        );
      copyDatabase = () => copyRows(store, other, onRows);
    }
    const tables = await copyDatabase();
    const channels = await copyMessages().catch((error: unknown) => {
      throw tables.length > 0 ? new MoveIncompleteError(error) : error;
    });
    return { tables, channels };
  } finally {
    for (const thing of opened) await thing.close();
  }
}

type Channels = ReadonlyArray<{ readonly channel: string; readonly dead: number }>;

/** @throws RefusedError when a layer keeps no messages, or the target has some on one of the channels */
async function channelsToCopy(from: ChannelLayer, to: ChannelLayer): Promise<Channels> {
  if (![from, to].every(({ extensions }) => extensions.has('stats')))
    throw new RefusedError('this kind of channel layer keeps no messages');
  const named = (await from.stats()).channels.filter(({ channel }) => !channel.endsWith('!'));
  const there = new Set((await to.stats()).channels.map(({ channel }) => channel));
  const both = named.filter(({ channel }) => there.has(channel));
  if (both.length === 0) return named;
  throw new RefusedError(`the target has messages on ${both.map(({ channel }) => channel).join(', ')}`);
}

async function copyChannels(
  from: ChannelLayer,
  to: ChannelLayer,
  channels: Channels,
): Promise<CopiedChannel[]> {
  const copied: CopiedChannel[] = [];
  for (const { channel, dead } of channels)
    copied.push({ channel, messages: await copyChannel(from, to, channel), dead });
  return copied;
}

async function copyChannel(from: ChannelLayer, to: ChannelLayer, channel: string): Promise<number> {
  const messages = await messagesOf(from, channel);
  if (messages.length === 0) return 0;
  const outcomes = await to.sendMany(channel, messages);
  const refused = outcomes.find((outcome) => !outcome.accepted);
  if (refused !== undefined && !refused.accepted) throw refused.error;
  const found = await messagesOf(to, channel);
  if (JSON.stringify(found) !== JSON.stringify(messages))
    throw new CopyDiffersError(
      `channel ${channel}`,
      `${found.length} messages instead of ${messages.length}`,
    );
  return messages.length;
}

/** Those with a lease first, since they come again first. A message that no receiver could read is left behind. */
async function messagesOf(layer: ChannelLayer, channel: string): Promise<Message[]> {
  const max = movedLayer.capacity;
  const leased = await layer.peek(channel, { max, onLease: true });
  const waiting = await layer.peek(channel, { max });
  return [...leased, ...waiting].flatMap(({ message }) => {
    return message !== undefined && isMessage(message) ? [message] : [];
  });
}

function isMessage(message: Received): message is Received & Message {
  return typeof message.type === 'string';
}
