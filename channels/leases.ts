// Leases: a receiver that does not acknowledge a message in time loses it to the next receiver.

import type { Message, Received } from './application.js';
import { InvalidNameError, InvalidOptionError } from './errors.js';

/**
 * A message from `receive(channel, { lease })`. Call `ack` when it is done; otherwise it is delivered again.
 */
export interface Leased {
  readonly channel: string;
  readonly message: Received;
  /** How many times it was delivered: 1 for the first delivery. */
  readonly deliveries: number;

  /**
   * Marks the message as done, so that it is not delivered again. Returns false if it was too late: the lease
   * was over and the message is gone or leased again. Also false after an earlier `ack` or `release`.
   *
   * Acknowledgements of one turn of the event loop are sent together.
   *
   * @throws LayerUnavailableError, LayerClosedError: the message comes again unless a later try succeeds
   */
  ack(): Promise<boolean>;

  /**
   * Moves the end of the lease to `leaseMs` milliseconds from now, earlier or later than before. Returns
   * false if it was too late, as for `ack`. To try again in a minute, extend by 60,000 ms and do not
   * acknowledge.
   */
  extend(leaseMs: number): Promise<boolean>;

  /**
   * Gives the message back: the next receiver gets it at once, before others. With `untried` this delivery
   * does not count. Returns false if it was too late.
   */
  release(options?: ReleaseOptions): Promise<boolean>;
}

export interface ReleaseOptions {
  /** No handler has started on the message. Default false. */
  readonly untried?: boolean | undefined;
}

/** The leases of one layer. Names of channels are already checked. */
export interface Leases {
  /** Waits for at least one message, and leases at most `max`, redelivered ones first. */
  receive(channel: string, max: number, leaseMs: number, signal?: AbortSignal): Promise<Leased[]>;
  /** See `ChannelLayer.deadLetters`. */
  deadLetters(channel: string | undefined, max: number): Promise<DeadLetterReport[]>;
  /** See `ChannelLayer.redrive`. */
  redrive(channel: string, ids: readonly string[] | undefined): Promise<number>;
}

/** The layer's side of a lease. `T` identifies one delivery of one message. */
export interface LeaseKeeper<T> {
  ack(token: T): Promise<boolean>;
  extend(token: T, leaseMs: number): Promise<boolean>;
  release(token: T, untried: boolean): Promise<boolean>;
}

/** A `Leased` for all layers. */
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

  /** A settled lease must not be used again, since another receiver may have the message. */
  async #settle(settle: () => Promise<boolean>): Promise<boolean> {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    try {
      return await settle();
    } catch (error) {
      this.#isSettled = false;
      throw error;
    }
  }
}

/** The longest time of a timer. */
const longestLeaseMs = 2 ** 31 - 1;

/** Returns the length of a lease in whole milliseconds. @throws InvalidOptionError */
export function checkLeaseMs(option: string, leaseMs: unknown): number {
  if (typeof leaseMs === 'number' && leaseMs >= 1 && leaseMs <= longestLeaseMs) return Math.ceil(leaseMs);
  throw new InvalidOptionError(option, `a number of milliseconds from 1 to ${longestLeaseMs}`, leaseMs);
}

/**
 * Checks that the messages of a channel can be leased.
 *
 * @throws InvalidOptionError for a process-specific channel: were the process to die, nobody could receive
 *   what it left. InvalidNameError for a name so long that its dead-letter channel could have none.
 */
export function checkLeasable(channel: string): void {
  if (channel.includes('!'))
    throw new InvalidOptionError('lease', 'omitted for a channel that only one process receives on', channel);
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
 * The channel of dead letters: `linod_mysite.dead` for `linod_mysite`. It gets messages after `maxDeliveries`
 * deliveries without an acknowledgement, and keeps them for `deadLetterExpiry` seconds. When it is full, the
 * oldest is dropped.
 */
export function deadLetterChannel(channel: string): string {
  return channel + deadLetterSuffix;
}

/** Whether a channel holds dead letters. Its own messages never become dead letters. */
export function isDeadLetterChannel(channel: string): boolean {
  return channel.endsWith(deadLetterSuffix);
}

/** A message on a dead-letter channel. */
export interface DeadLetter extends Message {
  readonly type: 'dead.letter';
  /** The channel of the message. */
  readonly channel: string;
  /** How many times it was delivered. */
  readonly deliveries: number;
  /** The reason as a text for people. */
  readonly reason: string;
  readonly message: Received;
}

/** A dead letter as `deadLetters` lists it. */
export interface DeadLetterReport extends Omit<DeadLetter, 'type'> {
  /** The id for `redrive`. */
  readonly id: string;
  /** When it became a dead letter, in milliseconds since 1970. */
  readonly diedAt: number;
}

export interface DeadLetterOptions {
  /** The most dead letters to list. Default 100. */
  readonly max?: number | undefined;
}

/** Returns the dead letter of a message. */
export function deadLetter(channel: string, message: Received, deliveries: number): DeadLetter {
  const reason = `handed out ${deliveries} times and never acknowledged`;
  return { type: 'dead.letter', channel, deliveries, reason, message };
}

/** Returns the report of a dead letter of `channel`. Returns none for other messages. */
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

/** Checks the options of `deadLetters`. @throws InvalidOptionError */
export function checkDeadLetterOptions({ max = 100 }: DeadLetterOptions = {}): number {
  if (Number.isSafeInteger(max) && max > 0) return max;
  throw new InvalidOptionError('max', 'a positive whole number', max);
}

function isMap(value: unknown): value is Received {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
