// What a layer shows of itself: how full its channels are, what lies on them, who is in which group. Looking takes
// nothing and disturbs nobody.

import type { Received } from './application.js';
import { messageKey } from './channel-name.js';
import { InvalidOptionError } from './errors.js';
import { deadLetterSuffix, isDeadLetterChannel } from './leases.js';

/** The state of a layer's store now, whoever sent what lies there. */
export interface LayerStats {
  /** When this was looked at, in ms since 1970. */
  readonly at: number;
  /** Those that hold messages, leases or dead letters, by name. */
  readonly channels: readonly ChannelFigures[];
}

/** One channel. */
export interface ChannelFigures {
  /** Its name. All process-specific channels of a kind are one, as `specific.*!`. */
  readonly channel: string;
  /** Messages that wait, also those that come again after a lease. */
  readonly depth: number;
  /** How long the first of them has waited. Undefined when there is none, or where the layer does not know. */
  readonly oldestAgeMs?: number | undefined;
  /** How many messages may wait, by the options of the layer object that was asked. On Redis: on each host. */
  readonly capacity: number;
  /** Messages that were handed out on lease and are not acknowledged. */
  readonly onLease: number;
  /** Dead letters of the channel. */
  readonly dead: number;
  /** For process-specific channels: the keys that hold messages, the fullest first, at most ten. `peek` takes them. */
  readonly keys?: ReadonlyArray<{ readonly key: string; readonly depth: number }> | undefined;
}

export interface PeekOptions {
  /** The most messages to look at. Default 10. */
  readonly max?: number | undefined;
  /** Look at what is on lease, instead of what waits; what is over first comes first. Default false. */
  readonly onLease?: boolean | undefined;
}

/** A message that was looked at and stays where it is. */
export interface Peeked {
  /** The full names that it is for: for a process-specific key perhaps several, else the channel. */
  readonly channels: readonly string[];
  /** The message; undefined when it cannot be read, and then `error` says why. */
  readonly message?: Received | undefined;
  readonly error?: Error | undefined;
  /** Its size in the store. */
  readonly bytes: number;
  /** When it was sent, in ms since 1970, by the sender's clock. Undefined where the layer does not know. */
  readonly sentAt?: number | undefined;
  /** How many times it was handed out on lease. */
  readonly deliveries: number;
  /** When its lease is over, in ms since 1970; only with `onLease`. */
  readonly leaseEndsAt?: number | undefined;
}

/** A group and its members, whose memberships have not ended. */
export interface GroupReport {
  readonly group: string;
  /** The longest unrenewed first. */
  readonly members: readonly GroupMember[];
}

export interface GroupMember {
  readonly channel: string;
  /** When it was last added, in ms since 1970. Undefined where the layer does not keep it. */
  readonly renewedAt?: number | undefined;
}

/** For layers: what lies under a key. */
export interface KeyDepth {
  readonly key: string;
  readonly depth: number;
  /** When the first message was sent, in ms since 1970. */
  readonly oldestAt?: number | undefined;
  readonly onLease: number;
}

/** So many fullest keys of processes are named. */
const maxNamedKeys = 10;
/** How many messages of a process are looked through for those of one of its channels. */
const maxSearched = 1000;

/** For layers: makes figures of what lies under keys; a key may come several times, as from several hosts. */
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
 * For layers: looks at the messages of a channel by looking at those of its key.
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

/** The name that all channels of a kind share; on PubSub, where names have no `!`, `asgispecific.*`. */
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
