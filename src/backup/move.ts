// Copies a site to another database or channel layer. The source keeps everything.

import type { ChannelLayer, Message, OpenLayerOptions, Received } from '../../channels/index.js';
import type { Site } from '../site/site.js';
import { openStore, type Store } from '../store/store.js';
import { type CopiedTable, copyRows, filledTables } from './copy-rows.js';
import { CopyDiffersError, RefusedError } from './errors.js';
import { refuseWorkers } from './refuse-workers.js';
import { refuseUnknownOwners, untyped, withSiteTables } from './site-tables.js';

export interface MoveDatabaseOptions {
  readonly site: Site;
  readonly store: Store;
  /** The same site with the other database. */
  readonly target: Site;
  readonly onProgress: (table: string, rows: number) => void;
}

/**
 * Copies all rows into an empty database of any kind, and compares both.
 *
 * @throws RefusedError while a worker runs, or when the target has rows; CopyDiffersError
 */
export async function moveDatabase(options: MoveDatabaseOptions): Promise<CopiedTable[]> {
  const { site, store, target, onProgress } = options;
  await refuseWorkers(site, store);
  await refuseUnknownOwners(untyped(store.db));
  const other = await openStore(target);
  const [from, to] = [store.connect(), other.connect()];
  try {
    return await withSiteTables(async (tables) => {
      const filled = await filledTables(untyped(to), tables);
      if (filled.length > 0)
        throw new RefusedError(
          `the database ${other.name} is not empty: it has rows in ${filled.join(', ')}`,
        );
      return await copyRows({ from: untyped(from), to: untyped(to), tables, onProgress });
    });
  } finally {
    await to.destroy();
    await from.destroy();
    await other.close();
  }
}

export interface CopiedChannel {
  readonly channel: string;
  readonly messages: number;
  /** Dead letters, which stay in the source. */
  readonly dead: number;
}

/** The target takes whatever waits in the source. */
const movedLayer: OpenLayerOptions = { capacity: 1_000_000 };

/**
 * Copies the messages that wait on named channels. Messages for a single process are not copied: that process
 * ends with the move. Messages with a lease are copied as waiting ones.
 *
 * @throws RefusedError while a worker runs, or when the target has messages; CopyDiffersError
 */
export async function moveLayer(site: Site, store: Store, target: Site): Promise<CopiedChannel[]> {
  await refuseWorkers(site, store);
  const from = await site.openLayer();
  const to = await target.openLayer(movedLayer);
  try {
    for (const layer of [from, to]) {
      if (!layer.extensions.has('stats'))
        throw new RefusedError('this kind of channel layer keeps no messages');
    }
    const { channels } = await from.stats();
    const named = channels.filter(({ channel }) => !channel.endsWith('!'));
    const there = new Set((await to.stats()).channels.map(({ channel }) => channel));
    const both = named.filter(({ channel }) => there.has(channel));
    if (both.length > 0)
      throw new RefusedError(`the target has messages on ${both.map(({ channel }) => channel).join(', ')}`);
    const copied: CopiedChannel[] = [];
    for (const { channel, dead } of named)
      copied.push({ channel, messages: await copyChannel(from, to, channel), dead });
    return copied;
  } finally {
    await from.close();
    await to.close();
  }
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
