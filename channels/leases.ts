// Leases: a message that is handed over on condition. Who does not acknowledge it in time loses it to the next.

import type { Message, Received } from './application.js';
import { InvalidNameError, InvalidOptionError } from './errors.js';

/** A message that `receive(channel, { lease })` handed out. It is done with by `ack`, or comes again. */
export interface Leased {
  readonly channel: string;
  readonly message: Received;
  /** How many times it was handed out, this time included: 1 for the first. */
  readonly deliveries: number;

  /**
   * The message is done with and will not come again. False when it was too late: the lease was over and the message
   * went to another receiver, or away. Also false when the lease was already acknowledged or released.
   *
   * Acknowledgements of one turn of the event loop travel together.
   *
   * @throws LayerUnavailableError, LayerClosedError: the message comes again unless a later try succeeds
   */
  ack(): Promise<boolean>;

  /**
   * Lets the lease end `leaseMs` milliseconds from now, be that later or sooner than it would have. False when it was
   * too late, as with `ack`. A handler that failed and wants to be tried again in a minute extends by 60,000 and
   * does not acknowledge.
   */
  extend(leaseMs: number): Promise<boolean>;

  /**
   * Gives the message back: the next receiver gets it at once, before others. `untried` says that nothing was done
   * with it, so that this time does not count as one of its deliveries. False when it was too late.
   */
  release(options?: ReleaseOptions): Promise<boolean>;
}

export interface ReleaseOptions {
  /** Nothing was done with the message. Default false. */
  readonly untried?: boolean | undefined;
}

/** What each layer's leases do. The names of channels are checked by then. */
export interface Leases {
  /** Waits for messages, at least one and at most `max`; those first that come again. */
  receive(channel: string, max: number, leaseMs: number, signal?: AbortSignal): Promise<Leased[]>;
  /** See `ChannelLayer.deadLetters`. */
  deadLetters(channel: string | undefined, max: number): Promise<DeadLetterReport[]>;
  /** See `ChannelLayer.redrive`. */
  redrive(channel: string, ids: readonly string[] | undefined): Promise<number>;
}

/** The layer's side of a lease. `T` names one handing-over of one message, never a later one of the same. */
export interface LeaseKeeper<T> {
  ack(token: T): Promise<boolean>;
  extend(token: T, leaseMs: number): Promise<boolean>;
  release(token: T, untried: boolean): Promise<boolean>;
}

/** `Leased`, for all layers. */
export class LeasedMessage<T> implements Leased {
  readonly channel: string;
  readonly message: Received;
  readonly deliveries: number;
  readonly #keeper: LeaseKeeper<T>;
  readonly #token: T;
  #isSettled = false;

  constructor(
    keeper: LeaseKeeper<T>,
    token: T,
    { channel, message, deliveries }: Pick<Leased, 'channel' | 'message' | 'deliveries'>,
  ) {
    this.channel = channel;
    this.message = message;
    this.deliveries = deliveries;
    this.#keeper = keeper;
    this.#token = token;
  }

  ack(): Promise<boolean> {
    return this.#settle(() => this.#keeper.ack(this.#token));
  }

  async extend(leaseMs: number): Promise<boolean> {
    const checkedMs = checkLeaseMs('leaseMs', leaseMs);
    return this.#isSettled ? false : this.#keeper.extend(this.#token, checkedMs);
  }

  release({ untried = false }: ReleaseOptions = {}): Promise<boolean> {
    return this.#settle(() => this.#keeper.release(this.#token, untried));
  }

  /** Once settled it is not ours any more: the layer may already have given it to another. */
  async #settle(tell: () => Promise<boolean>): Promise<boolean> {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    try {
      return await tell();
    } catch (error) {
      this.#isSettled = false;
      throw error;
    }
  }
}

/** Timers go no further than this. */
const longestLeaseMs = 2 ** 31 - 1;

/** Returns a length of a lease in whole milliseconds. @throws InvalidOptionError */
export function checkLeaseMs(option: string, leaseMs: unknown): number {
  if (typeof leaseMs === 'number' && leaseMs >= 1 && leaseMs <= longestLeaseMs) return Math.ceil(leaseMs);
  throw new InvalidOptionError(option, `a number of milliseconds from 1 to ${longestLeaseMs}`, leaseMs);
}

/**
 * Checks that messages of a channel can be leased.
 *
 * @throws InvalidOptionError for a process-specific channel: were the process to die, nobody could receive what it
 *   left. InvalidNameError for a name so long that its dead-letter channel could have none.
 */
export function checkLeasable(channel: string): void {
  if (channel.includes('!'))
    throw new InvalidOptionError(
      'lease',
      'left out for a channel that only one process receives on',
      channel,
    );
  const longest = 99 - deadLetterSuffix.length;
  if (channel.length > longest)
    throw new InvalidNameError(
      'channel',
      channel,
      `at most ${longest} characters long where messages are leased`,
    );
}

export const deadLetterSuffix = '.dead';

/**
 * Where a message goes that was handed out `maxDeliveries` times and never acknowledged: `linod_mysite.dead` for
 * `linod_mysite`. What lies there is kept for `deadLetterExpiry` seconds; beyond the channel's capacity the oldest
 * goes.
 */
export function deadLetterChannel(channel: string): string {
  return channel + deadLetterSuffix;
}

/** Whether a channel is, by its name, one for dead letters. Its own messages can be leased any number of times. */
export function isDeadLetterChannel(channel: string): boolean {
  return channel.endsWith(deadLetterSuffix);
}

/** What lies on a dead-letter channel. */
export interface DeadLetter extends Message {
  readonly type: 'dead.letter';
  /** Where the message was sent. */
  readonly channel: string;
  /** How many times it was handed out. */
  readonly deliveries: number;
  /** In words for the one who looks at it. */
  readonly reason: string;
  readonly message: Received;
}

/** A dead letter as `deadLetters` lists it. */
export interface DeadLetterReport extends Omit<DeadLetter, 'type'> {
  /** What `redrive` takes; the layer's own. */
  readonly id: string;
  /** When it became one, in ms since 1970. */
  readonly diedAt: number;
}

export interface DeadLetterOptions {
  /** The most dead letters to list. Default 100. */
  readonly max?: number | undefined;
}

/** Makes a dead letter of a message. */
export function deadLetter(channel: string, message: Received, deliveries: number): DeadLetter {
  const reason = `handed out ${deliveries} times and never acknowledged`;
  return { type: 'dead.letter', channel, deliveries, reason, message };
}

/** Makes the report of what lies on the dead-letter channel of `channel`: none of what somebody else has sent there. */
export function deadLetterReport(
  channel: string,
  value: Received,
  where: Pick<DeadLetterReport, 'id' | 'diedAt'>,
): DeadLetterReport[] {
  const { type, deliveries, reason, message } = value;
  if (type !== 'dead.letter' || value.channel !== channel || !isMap(message)) return [];
  if (typeof deliveries !== 'number' || typeof reason !== 'string') return [];
  return [{ ...where, channel, deliveries, reason, message }];
}

/** Reads the options of `deadLetters`. @throws InvalidOptionError */
export function checkDeadLetterOptions({ max = 100 }: DeadLetterOptions = {}): number {
  if (Number.isSafeInteger(max) && max > 0) return max;
  throw new InvalidOptionError('max', 'a positive whole number', max);
}

function isMap(value: unknown): value is Received {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
