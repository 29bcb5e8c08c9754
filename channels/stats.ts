// The statistics of a layer: how full its channels are, which messages wait, and the members of groups.
// Reading them takes no message.

import type { Received } from './application.js';
import { messageKey } from './channel-name.js';
import { InvalidOptionError } from './errors.js';
import { deadLetterSuffix, isDeadLetterChannel } from './leases.js';

/** The state of a layer's store. */
export interface LayerStats {
  /** The time of reading, in milliseconds since 1970. */
  readonly at: number;
  /** The channels with messages, leases or dead letters, by name. */
  readonly channels: readonly ChannelFigures[];
}

/** One channel. */
export interface ChannelFigures {
  /** The channel's name. All process-specific channels of a kind count as one, `specific.*!`. */
  readonly channel: string;
  /** Waiting messages, redelivered ones included. */
  readonly depth: number;
  /** The age of the oldest one. Undefined without messages, or if the layer does not know it. */
  readonly oldestAgeMs?: number | undefined;
  /** The most messages that may wait, by the options of this layer object. On Redis: on each host. */
  readonly capacity: number;
  /** Leased messages that are not acknowledged. */
  readonly onLease: number;
  /** Dead letters of the channel. */
  readonly dead: number;
  /**
   * For process-specific channels: at most ten keys with messages, the fullest first. `peek` accepts them.
   */
  readonly keys?: ReadonlyArray<{ readonly key: string; readonly depth: number }> | undefined;
}

export interface PeekOptions {
  /** The most messages to return. Default 10. */
  readonly max?: number | undefined;
  /** Return leased messages instead of waiting ones, ordered by the end of their lease. Default false. */
  readonly onLease?: boolean | undefined;
}

/** A message that `peek` returned; it stays in the store. */
export interface Peeked {
  /** The full names of its channels; a message of a process-specific key may have several. */
  readonly channels: readonly string[];
  /** The message; undefined if it is undecodable, and then `error` says why. */
  readonly message?: Received | undefined;
  readonly error?: Error | undefined;
  /** Its size in the store, in bytes. */
  readonly bytes: number;
  /**
   * When it was sent, in milliseconds since 1970 by the sender's clock. Undefined if the layer does not know
   * it.
   */
  readonly sentAt?: number | undefined;
  /** The number of deliveries under a lease. */
  readonly deliveries: number;
  /** The end of its lease, in milliseconds since 1970; only with `onLease`. */
  readonly leaseEndsAt?: number | undefined;
}

/** A group and its current members. */
export interface GroupReport {
  readonly group: string;
  /** The longest unrenewed member first. */
  readonly members: readonly GroupMember[];
}

export interface GroupMember {
  readonly channel: string;
  /** When it was last added, in milliseconds since 1970. Undefined if the layer does not keep it. */
  readonly renewedAt?: number | undefined;
}

/** For layers: the figures of one key. */
export interface KeyDepth {
  readonly key: string;
  readonly depth: number;
  /** When the oldest message was sent, in milliseconds since 1970. */
  readonly oldestAt?: number | undefined;
  readonly onLease: number;
}

/** The most keys of processes that are listed. */
const maxNamedKeys = 10;
/** The most messages of a process key that are searched for one channel. */
const maxSearched = 1000;

/**
 * For layers: returns the figures of channels from those of keys. A key may occur several times, once for
 * each host.
 */
export function layerStats(
  depths: Iterable<KeyDepth>,
  capacity: (channel: string) => number,
  at: number,
): LayerStats {
  const byName = new Map<string, { keys: KeyDepth[]; dead: number }>();
  for (const each of depths) {
    const isDead = isDeadLetterChannel(each.key);
    const name = isDead ? each.key.slice(0, -deadLetterSuffix.length) : kindOf(each.key);
    const found = byName.get(name) ?? { keys: [], dead: 0 };
    byName.set(name, found);
    if (isDead) found.dead += each.depth + each.onLease;
    else found.keys.push(each);
  }
  const channels = Array.from(byName, ([channel, { keys, dead }]): ChannelFigures => {
    const oldest = Math.min(...keys.map(({ oldestAt }) => oldestAt ?? Number.POSITIVE_INFINITY));
    return {
      channel,
      depth: sum(keys.map(({ depth }) => depth)),
      oldestAgeMs: Number.isFinite(oldest) ? Math.max(0, at - oldest) : undefined,
      capacity: capacity(channel),
      onLease: sum(keys.map(({ onLease }) => onLease)),
      dead,
      ...(channel.endsWith('!') && { keys: fullest(keys) }),
    };
  });
  const used = channels.filter(({ depth, onLease, dead }) => depth + onLease + dead > 0);
  return { at, channels: used.sort((a, b) => (a.channel < b.channel ? -1 : 1)) };
}

/**
 * For layers: returns the next messages of a channel from those of its key.
 *
 * @throws InvalidOptionError
 */
export async function peekAt(
  channel: string,
  { max = 10, onLease = false }: PeekOptions,
  peek: (key: string, max: number, onLease: boolean) => Promise<Peeked[]>,
): Promise<Peeked[]> {
  if (!Number.isSafeInteger(max) || max < 1)
    throw new InvalidOptionError('max', 'a positive whole number', max);
  const key = messageKey(channel);
  if (key === channel) return peek(key, max, onLease);
  const peeked = await peek(key, Math.max(max, maxSearched), onLease);
  return peeked.filter(({ channels }) => channels.includes(channel)).slice(0, max);
}

const random = /[\da-f]{32}$/;

/** The name under which `stats` counts a channel: all process-specific channels of a kind share one. */
export function channelPattern(channel: string): string {
  return kindOf(messageKey(channel));
}

/** The name that all channels of a kind share. On PubSub, where names have no `!`, it is `asgispecific.*`. */
function kindOf(key: string): string {
  return key.endsWith('!') ? key.replace(/[^.]*!$/, '*!') : key.replace(random, '*');
}

function fullest(keys: readonly KeyDepth[]): ReadonlyArray<{ readonly key: string; readonly depth: number }> {
  return keys
    .map(({ key, depth }) => ({ key, depth }))
    .filter(({ depth }) => depth > 0)
    .sort((a, b) => b.depth - a.depth)
    .slice(0, maxNamedKeys);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
