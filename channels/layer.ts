// What every channel layer can do, and the rules on names and capacities that all of them share.

import type { Message, Received } from './application.js';
import { isPlainObject } from './codec/plain-object.js';
import { type ChannelFull, InvalidMessageError, InvalidOptionError } from './errors.js';
import { type DeadLetterOptions, type DeadLetterReport, isDeadLetterChannel, type Leased } from './leases.js';
import type { Listening } from './serving/listening.js';
import type { GroupReport, LayerStats, Peeked, PeekOptions } from './stats.js';

/** An ability that not every layer has. Ask at start, not by a failed call later. */
export type Extension = 'groups' | 'flush' | 'lease' | 'stats';

export interface WaitOptions {
  /** Ends the wait; the promise rejects with the signal's reason. Nothing is lost by it. */
  readonly signal?: AbortSignal | undefined;
}

export interface LeaseOptions extends WaitOptions {
  /**
   * Milliseconds for which the message is this receiver's alone. When they are over without an `ack`, as after the
   * receiver's death, the message is delivered again.
   */
  readonly lease: number;
}

export interface ReceiveManyOptions extends WaitOptions {
  /** The most messages to take at once. Default 100. */
  readonly max?: number | undefined;
  /** Milliseconds to wait for the first message; 0 takes what is there. Default: until there is one. */
  readonly waitMs?: number | undefined;
}

export interface LeaseManyOptions extends ReceiveManyOptions, LeaseOptions {}

/** What became of one message of `sendMany`. */
export type SendOutcome =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly error: ChannelFull | InvalidMessageError };

/** The outcome of most messages. */
export const accepted: SendOutcome = Object.freeze({ accepted: true });

/** A message that a layer had to throw away or give up, for the one who opened the layer to count and log. */
export interface DroppedMessage {
  /** The channel it lay on, or the process-specific key. */
  readonly channel: string;
  /** `dead`: it was handed out too often without an `ack`, and lies on the dead-letter channel now. */
  readonly reason: 'undecodable' | 'overflow' | 'expired' | 'dead';
  readonly error?: Error;
}

/** Options that all layers have. Names are the original's in camel case; seconds are seconds where it has them. */
export interface LayerOptions {
  /** Messages that may wait on one channel. Default 100. */
  readonly capacity?: number | undefined;
  /** Other capacities: the first shell pattern (or RegExp, matched at the start) that fits the name decides. */
  readonly channelCapacity?: CapacityPatterns | undefined;
  /** Seconds until an undelivered message may be thrown away. Default 60. */
  readonly expiry?: number | undefined;
  /** Seconds until a group membership that is not renewed ends. Default 86,400. */
  readonly groupExpiry?: number | undefined;
  /** How many times a leased message is handed out before it goes to the channel's dead letters. Default 5. */
  readonly maxDeliveries?: number | undefined;
  /** The expiry of dead letters, in seconds. Default 604,800, a week. */
  readonly deadLetterExpiry?: number | undefined;
  /** Told of every message that was dropped. Must not throw. */
  readonly onDrop?: ((dropped: DroppedMessage) => void) | undefined;
  /** The clock for both expiries, in milliseconds since 1970. For tests; default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

export type CapacityPatterns =
  | Readonly<Record<string, number>>
  | ReadonlyArray<readonly [pattern: string | RegExp, capacity: number]>;

/**
 * Carries messages between processes. At most once: a message is handed to one receiver or, after `expiry`
 * seconds or a crash of the receiver, to none. First in, first out for one receiver of a channel.
 *
 * Where a receiver asks for a lease: at least once. A message is then done with when it is acknowledged; until that
 * it comes again whenever a lease is over, never sooner, and before what waits. What receivers may hold between them
 * does not count as waiting: capacity is for what was not handed out yet. A message that waits again is kept
 * for `expiry` seconds from the end of its lease.
 *
 * Source: django/channels docs/channel_layer_spec.rst.
 */
export interface ChannelLayer {
  readonly extensions: ReadonlySet<Extension>;

  /**
   * Puts one message on a channel.
   *
   * @throws ChannelFull (`CHANNELS_ERR_CHANNEL_FULL`) at once when the channel's capacity is reached
   * @throws InvalidNameError, InvalidMessageError for what no layer accepts
   * @throws LayerUnavailableError when the server is away
   */
  send<M extends Message>(channel: string, message: M, options?: WaitOptions): Promise<void>;

  /**
   * Puts messages on a channel, in their order, in one round trip. Tells of each whether it was accepted: one that
   * is none is left out, and when the channel is full those from there on are refused.
   *
   * @throws InvalidNameError; LayerUnavailableError when the server is away, and then some may have been accepted
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
   * Waits for the next message of a channel, which is then this receiver's for `lease` milliseconds and has to be
   * acknowledged. Only with the extension `lease`, and not on a process-specific channel. Otherwise as without.
   *
   * @throws InvalidOptionError, InvalidNameError for a channel whose messages cannot be leased
   * @example
   * const leased = await layer.receive('mail', { lease: 30_000 });
   * await deliver(leased.message);
   * await leased.ack();
   */
  receive(channel: string, options: LeaseOptions): Promise<Leased>;
  /**
   * Waits for the next message of a channel and takes it. Several receivers of one channel share its messages.
   * Waits through a restart of the server. A process-specific channel (with a `!`) can be received only by the
   * layer whose `newChannel` made it.
   *
   * @throws ForeignChannelError for a specific channel of another layer object
   * @throws LayerClosedError when the layer is closed meanwhile; the signal's reason when it is aborted
   */
  receive(channel: string, options?: WaitOptions): Promise<Received>;

  /**
   * Takes the next messages of a channel, in order: those that are there, at most `max`, else it waits for the first.
   * One round trip. Empty only when none came within `waitMs`. Otherwise as `receive`.
   *
   * @example for (const message of await layer.receiveMany('mail', { max: 50, waitMs: 1000 })) deliver(message)
   */
  receiveMany(channel: string, options: LeaseManyOptions): Promise<Leased[]>;
  receiveMany(channel: string, options?: ReceiveManyOptions): Promise<Received[]>;

  /** Makes a name that only this layer object can receive on: `specific.CLIENT!LOCAL`. */
  newChannel(prefix?: string): Promise<string>;

  /** Adds a channel to a group, or renews its membership. */
  groupAdd(group: string, channel: string): Promise<void>;
  /** Removes a channel from a group; no error if it is not in it. */
  groupDiscard(group: string, channel: string): Promise<void>;
  /** Sends to every channel of a group. A full channel misses it, without an error. */
  groupSend<M extends Message>(group: string, message: M): Promise<void>;

  /** Tells how full the channels are, over all processes and hosts. Takes nothing. @throws LayerUnavailableError */
  stats(): Promise<LayerStats>;

  /**
   * Looks at the next messages of a channel, in the order in which they would be received. They stay there. `channel`
   * may also be a process-specific channel, or the key of a process, up to the `!`.
   *
   * @throws InvalidNameError, InvalidOptionError, LayerUnavailableError
   */
  peek(channel: string, options?: PeekOptions): Promise<Peeked[]>;

  /** Tells who is in which group; of one group, or of all, by name. @throws InvalidNameError, LayerUnavailableError */
  groups(group?: string): Promise<GroupReport[]>;

  /**
   * Lists dead letters, of one channel or of all, the oldest first. Takes nothing. Only with the extension `lease`.
   *
   * @throws InvalidNameError, InvalidOptionError, LayerUnavailableError
   */
  deadLetters(channel?: string, options?: DeadLetterOptions): Promise<DeadLetterReport[]>;

  /**
   * Puts dead letters back on the channel that they were sent to, the oldest first, as if they had just been sent:
   * their deliveries are counted anew. Stops at a full channel. Only with the extension `lease`.
   *
   * @param ids those of `deadLetters`; default all. One that is not there any more is passed over
   * @returns how many were put back
   * @throws InvalidNameError, LayerUnavailableError
   * @example await layer.redrive('orders')
   */
  redrive(channel: string, ids?: readonly string[]): Promise<number>;

  /**
   * Tells whether who receives on a channel in this process would hear of a message: when the store was last heard of,
   * and by when it is due. Asks nothing. Undefined while nobody waits. A layer without it cannot be deaf.
   */
  listening?(channel: string): Listening | undefined;

  /** Removes all messages and groups of this layer. */
  flush(): Promise<void>;
  /** Ends all waits and connections. Safe to call twice. */
  close(): Promise<void>;
}

/** The key that the original puts into messages on the wire to tell for which local channels they are. */
export const reservedKey = '__asgi_channel__';

/**
 * Returns the message if its outside is one: a plain object without the reserved key. What is inside is checked by
 * the one who writes it. That there is a `type` is not: the receiving worker judges.
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

/** Reads an option in seconds as milliseconds. @throws InvalidOptionError */
export function secondsToMs(option: string, seconds: number): number {
  if (Number.isFinite(seconds) && seconds > 0) return seconds * 1000;
  throw new InvalidOptionError(option, 'a number of seconds above 0', seconds);
}

/** Compiles the expiries into one function from a channel's name to milliseconds. @throws InvalidOptionError */
export function expiryMsOf(
  options: Pick<LayerOptions, 'expiry' | 'deadLetterExpiry'>,
): (channel: string) => number {
  const expiryMs = secondsToMs('expiry', options.expiry ?? 60);
  const deadLetterExpiryMs = secondsToMs('deadLetterExpiry', options.deadLetterExpiry ?? 604_800);
  return (channel) => (isDeadLetterChannel(channel) ? deadLetterExpiryMs : expiryMs);
}

/** Reads `maxDeliveries`. @throws InvalidOptionError */
export function checkMaxDeliveries(maxDeliveries = 5): number {
  return checkCapacity('maxDeliveries', maxDeliveries);
}

/** Reads the options of `receiveMany`. @throws InvalidOptionError */
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
 * Compiles `capacity` and `channelCapacity` into one function from a channel's full name to its capacity.
 *
 * Source: docs/reference/wire.md section 3.
 * @throws InvalidOptionError
 */
export function capacityOf(
  options: Pick<LayerOptions, 'capacity' | 'channelCapacity'>,
): (channel: string) => number {
  const fallback = checkCapacity('capacity', options.capacity ?? 100);
  const given = options.channelCapacity ?? [];
  const entries: ReadonlyArray<readonly [string | RegExp, number]> = isList(given)
    ? given
    : Object.entries(given);
  const patterns = entries.map(([pattern, capacity]) => ({
    matches: typeof pattern === 'string' ? shellPattern(pattern) : matchAtStart(pattern),
    capacity: checkCapacity(`channelCapacity[${String(pattern)}]`, capacity),
  }));
  if (patterns.length === 0) return () => fallback;
  return (channel) => patterns.find((pattern) => pattern.matches(channel))?.capacity ?? fallback;
}

function isList(value: CapacityPatterns): value is Extract<CapacityPatterns, readonly unknown[]> {
  return Array.isArray(value);
}

function checkCapacity(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidOptionError(option, 'a positive whole number', value);
}

/** A shell glob over the whole name: `*` any run of characters, `?` one, `[abc]`, `[!abc]`, as Python's fnmatch. */
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
