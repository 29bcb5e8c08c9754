// The channel layer: the methods that every layer has, and the options that all layers share.

import type { Message, Received } from './application.js';
import { isPlainObject } from './codec/plain-object.js';
import { type ChannelFull, InvalidMessageError, InvalidOptionError } from './errors.js';
import { type DeadLetterOptions, type DeadLetterReport, isDeadLetterChannel, type Leased } from './leases.js';
import type { Listening } from './serving/listening.js';
import type { GroupReport, LayerStats, Peeked, PeekOptions } from './stats.js';

/** An ability that not every layer has. Check it at start. */
export type Extension = 'groups' | 'flush' | 'lease' | 'stats';

export interface WaitOptions {
  /** Ends the wait: the promise rejects with the signal's reason. No message is lost. */
  readonly signal?: AbortSignal | undefined;
}

export interface LeaseOptions extends WaitOptions {
  /**
   * Milliseconds for which only this receiver has the message. Without an `ack` in this time the layer
   * delivers the message again.
   */
  readonly lease: number;
}

export interface ReceiveManyOptions extends WaitOptions {
  /** The most messages to take at once. Default 100. */
  readonly max?: number | undefined;
  /** Milliseconds to wait for the first message; 0 does not wait. Default: no limit. */
  readonly waitMs?: number | undefined;
}

export interface LeaseManyOptions extends ReceiveManyOptions, LeaseOptions {}

/** The result of one message of `sendMany`. */
export type SendOutcome =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly error: ChannelFull | InvalidMessageError };

/** The result of a message that the layer accepted. */
export const accepted: SendOutcome = Object.freeze({ accepted: true });

/** A message that a layer dropped. Whoever opened the layer counts and logs it. */
export interface DroppedMessage {
  /** The message's channel, or its process-specific key. */
  readonly channel: string;
  /** `dead`: it reached `maxDeliveries` without an `ack`, and is now on the dead-letter channel. */
  readonly reason: 'undecodable' | 'overflow' | 'expired' | 'dead';
  readonly error?: Error;
}

/** Options of all layers. Names and units are those of Django Channels; names are in camel case. */
export interface LayerOptions {
  /**
   * The most messages that wait on one channel, and for all process-specific channels of a process together.
   * Default 100, and 1,000 for a process: a burst to a group waits there for all its sockets.
   */
  readonly capacity?: number | undefined;
  /** Capacities by shell pattern, or by RegExp that matches the start of a name. The first match counts. */
  readonly channelCapacity?: CapacityPatterns | undefined;
  /** Seconds until the layer may drop an undelivered message. Default 60. */
  readonly expiry?: number | undefined;
  /** Seconds until a group membership ends unless it is renewed. Default 86,400. */
  readonly groupExpiry?: number | undefined;
  /** How many times the layer delivers a leased message before it becomes a dead letter. Default 5. */
  readonly maxDeliveries?: number | undefined;
  /** Seconds until the layer drops a dead letter. Default 604,800 (a week). */
  readonly deadLetterExpiry?: number | undefined;
  /**
   * Called after each send with the numbers of messages that the layer accepted and refused; the channel is null
   * for a group. Must not throw.
   */
  readonly onSend?: ((channel: string | null, accepted: number, refused: number) => void) | undefined;
  /** Called for every dropped message. Must not throw. */
  readonly onDrop?: ((dropped: DroppedMessage) => void) | undefined;
  /** The clock for both expiries, in milliseconds since 1970. For tests; default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

export type CapacityPatterns =
  | Readonly<Record<string, number>>
  | ReadonlyArray<readonly [pattern: string | RegExp, capacity: number]>;

/**
 * Carries messages between processes.
 *
 * Delivery is at most once: one receiver gets a message. Nobody gets it when it expires or when its receiver
 * crashes. One receiver of a channel gets the messages in the order in which they were sent.
 *
 * With a lease, delivery is at least once. The layer delivers a message again after each lease, before the
 * waiting messages, until a receiver acknowledges it. Leased messages do not count towards the capacity. A
 * message that waits again expires `expiry` seconds after the end of its lease.
 *
 * Source: django/channels docs/channel_layer_spec.rst.
 */
export interface ChannelLayer {
  readonly extensions: ReadonlySet<Extension>;

  /**
   * Puts one message on a channel.
   *
   * @throws ChannelFull (`CHANNELS_ERR_CHANNEL_FULL`) at once when `capacity` messages already wait
   * @throws InvalidNameError, InvalidMessageError for a name or a message that no layer accepts
   * @throws LayerUnavailableError when the server cannot be used
   */
  send<M extends Message>(channel: string, message: M, options?: WaitOptions): Promise<void>;

  /**
   * Puts messages on a channel, in order, in one round trip. Returns for each whether the layer accepted it.
   * The layer skips invalid messages. When the channel is full, it refuses the remaining messages.
   *
   * @throws InvalidNameError; LayerUnavailableError when the server cannot be used; it may have accepted some
   *   messages
   * @example
   * const outcomes = await layer.sendMany('mail', letters);
   * const refused = letters.filter((_, i) => !outcomes[i]?.accepted);
   */
  sendMany<M extends Message>(
    channel: string,
    messages: readonly M[],
    options?: WaitOptions,
  ): Promise<SendOutcome[]>;

  /**
   * Waits for the next message of a channel and leases it for `lease` milliseconds. The receiver must
   * acknowledge it. Needs the extension `lease`. Refuses process-specific channels. The rest is as without a
   * lease.
   *
   * @throws InvalidOptionError, InvalidNameError for a channel whose messages cannot be leased
   * @example
   * const leased = await layer.receive('mail', { lease: 30_000 });
   * await deliver(leased.message);
   * await leased.ack();
   */
  receive(channel: string, options: LeaseOptions): Promise<Leased>;
  /**
   * Waits for the next message of a channel and takes it. Several receivers of one channel share its
   * messages. The wait survives a restart of the server. Only the layer object whose `newChannel` created a
   * process-specific channel (with a `!`) can receive on it.
   *
   * @throws ForeignChannelError for a process-specific channel of another layer object
   * @throws LayerClosedError when the layer closes during the wait; the signal's reason when the signal is
   *   aborted
   */
  receive(channel: string, options?: WaitOptions): Promise<Received>;

  /**
   * Takes at most `max` messages of a channel, in order, in one round trip. Waits for the first message if
   * there is none. The result is empty only after `waitMs`. The rest is as for `receive`.
   *
   * @example for (const message of await layer.receiveMany('mail', { max: 50, waitMs: 1000 })) deliver(message)
   */
  receiveMany(channel: string, options: LeaseManyOptions): Promise<Leased[]>;
  receiveMany(channel: string, options?: ReceiveManyOptions): Promise<Received[]>;

  /**
   * Passes on each message of a process-specific channel as it comes, until the returned function is called. After a
   * failure it ends. A process with many channels pays less than for `receiveMany`. Not all layers have it.
   *
   * @throws ForeignChannelError for a channel of another layer object; LayerClosedError
   */
  subscribe?(
    channel: string,
    onMessage: (message: Received) => void,
    onFailure: (error: unknown) => void,
  ): () => void;

  /** Creates a channel that only this layer object can receive on: `specific.CLIENT!LOCAL`. */
  newChannel(prefix?: string): Promise<string>;

  /** Adds a channel to a group, or renews its membership. */
  groupAdd(group: string, channel: string): Promise<void>;
  /** Removes a channel from a group. Does nothing if the channel is not in the group. */
  groupDiscard(group: string, channel: string): Promise<void>;
  /** Sends to every channel of a group. Skips full channels without an error, and reports them to `onDrop`. */
  groupSend<M extends Message>(group: string, message: M): Promise<void>;

  /** Reports how full the channels are, over all processes and hosts. @throws LayerUnavailableError */
  stats(): Promise<LayerStats>;

  /**
   * Returns the next messages of a channel, in order, without taking them. `channel` may also be a
   * process-specific channel, or the key of a process (up to the `!`).
   *
   * @throws InvalidNameError, InvalidOptionError, LayerUnavailableError
   */
  peek(channel: string, options?: PeekOptions): Promise<Peeked[]>;

  /**
   * Lists the members of one group, or of all groups by name.
   *
   * @throws InvalidNameError, LayerUnavailableError
   */
  groups(group?: string): Promise<GroupReport[]>;

  /**
   * Lists the dead letters of one channel or of all, the oldest first. Needs the extension `lease`.
   *
   * @throws InvalidNameError, InvalidOptionError, LayerUnavailableError
   */
  deadLetters(channel?: string, options?: DeadLetterOptions): Promise<DeadLetterReport[]>;

  /**
   * Sends dead letters again to their channel, the oldest first, and resets their delivery counts. Stops when
   * the channel is full. Needs the extension `lease`.
   *
   * @param ids ids from `deadLetters`; default all. Skips ids that no longer exist
   * @returns the number of messages sent
   * @throws InvalidNameError, LayerUnavailableError
   * @example await layer.redrive('orders')
   */
  redrive(channel: string, ids?: readonly string[]): Promise<number>;

  /**
   * Reports when the store last answered the receivers of a channel in this process, and when its next answer
   * is due. Sends nothing. Undefined while nobody receives. Layers whose store is in this process do not have
   * this method.
   */
  listening?(channel: string): Listening | undefined;

  /** Removes all messages and groups of this layer. */
  flush(): Promise<void>;
  /** Ends all waits and connections. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * The key that channels_redis adds to messages on the wire. Its value names the process-specific channels.
 */
export const reservedKey = '__asgi_channel__';

/**
 * Returns the message if it is a plain object without the reserved key. The encoder checks the values, and
 * the receiving worker checks the `type`.
 *
 * @throws InvalidMessageError
 */
export function checkMessage(message: unknown): Readonly<Record<string, unknown>> {
  if (typeof message !== 'object' || message === null || !isPlainObject(message)) {
    const found = Array.isArray(message) ? 'a list' : message === null ? 'null' : typeof message;
    throw new InvalidMessageError(`expected a message to be a plain object with a type, got: ${found}`);
  }
  if (Object.hasOwn(message, reservedKey)) {
    throw new InvalidMessageError(`expected a message without the key ${reservedKey}, which layers use`);
  }
  return message;
}

/** Converts an option from seconds to milliseconds. @throws InvalidOptionError */
export function secondsToMs(option: string, seconds: number): number {
  if (Number.isFinite(seconds) && seconds > 0) return seconds * 1000;
  throw new InvalidOptionError(option, 'a number of seconds above 0', seconds);
}

/** Returns a function from a channel's name to its expiry in milliseconds. @throws InvalidOptionError */
export function expiryMsOf(
  options: Pick<LayerOptions, 'expiry' | 'deadLetterExpiry'>,
): (channel: string) => number {
  const expiryMs = secondsToMs('expiry', options.expiry ?? 60);
  const deadLetterExpiryMs = secondsToMs('deadLetterExpiry', options.deadLetterExpiry ?? 604_800);
  return (channel) => (isDeadLetterChannel(channel) ? deadLetterExpiryMs : expiryMs);
}

/** Checks `maxDeliveries`. @throws InvalidOptionError */
export function checkMaxDeliveries(maxDeliveries = 5): number {
  return checkCapacity('maxDeliveries', maxDeliveries);
}

/** Checks the options of `receiveMany`. @throws InvalidOptionError */
export function checkReceiveMany({ max = 100, waitMs }: ReceiveManyOptions): {
  readonly max: number;
  readonly waitMs: number | undefined;
} {
  checkCapacity('max', max);
  if (waitMs !== undefined && !(waitMs >= 0 && waitMs <= 2 ** 31 - 1))
    throw new InvalidOptionError('waitMs', 'a number of milliseconds', waitMs);
  return { max, waitMs };
}

/**
 * Returns a function from a channel's full name to its capacity.
 *
 * Source: docs/reference/wire.md section 3.
 * @throws InvalidOptionError
 */
export function capacityOf(
  options: Pick<LayerOptions, 'capacity' | 'channelCapacity'>,
): (channel: string) => number {
  const own = checkCapacity('capacity', options.capacity ?? 100);
  const ofProcess = options.capacity ?? 1000;
  const fallback = (channel: string) => (channel.includes('!') ? ofProcess : own);
  const given = options.channelCapacity ?? [];
  const entries: ReadonlyArray<readonly [string | RegExp, number]> = isList(given)
    ? given
    : Object.entries(given);
  const patterns = entries.map(([pattern, capacity]) => ({
    matches: typeof pattern === 'string' ? shellPattern(pattern) : matchAtStart(pattern),
    capacity: checkCapacity(`channelCapacity[${String(pattern)}]`, capacity),
  }));
  if (patterns.length === 0) return fallback;
  return (channel) => patterns.find((pattern) => pattern.matches(channel))?.capacity ?? fallback(channel);
}

function isList(value: CapacityPatterns): value is Extract<CapacityPatterns, readonly unknown[]> {
  return Array.isArray(value);
}

function checkCapacity(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidOptionError(option, 'a positive whole number', value);
}

/** Matches the whole name as Python's fnmatch does: `*` any characters, `?` one, `[abc]`, `[!abc]`. */
function shellPattern(pattern: string): (name: string) => boolean {
  let source = '';
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern.charAt(i);
    if (char === '*') source += '[^]*';
    else if (char === '?') source += '[^]';
    else if (char === '[') {
      const set = characterSet(pattern, i);
      source += set.source;
      i = set.end;
    } else source += char.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
  }
  const compiled = new RegExp(`^(?:${source})$`);
  return (name) => compiled.test(name);
}

function characterSet(pattern: string, start: number): { source: string; end: number } {
  let end = start + 1;
  if (pattern.charAt(end) === '!') end++;
  if (pattern.charAt(end) === ']') end++;
  while (end < pattern.length && pattern.charAt(end) !== ']') end++;
  if (end >= pattern.length) return { source: '\\[', end: start };
  const negated = pattern.charAt(start + 1) === '!';
  const members = pattern.slice(start + (negated ? 2 : 1), end).replace(/[\\\]^[]/g, '\\$&');
  return { source: `[${negated ? '^' : ''}${members}]`, end };
}

function matchAtStart(pattern: RegExp): (name: string) => boolean {
  const sticky = new RegExp(pattern.source, `${pattern.flags.replace(/[gy]/g, '')}y`);
  return (name) => {
    sticky.lastIndex = 0;
    return sticky.test(name);
  };
}
