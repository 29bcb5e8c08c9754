// A message as the memory layer keeps it.

import type { Received } from '../../application.js';

/** A message as it lies under its key. */
export interface Filed {
  /** The full names of the channels it is for. */
  readonly channels: readonly string[];
  /** The layer's own, which a receiver gets as it is when it is the only and last one. */
  readonly message: Received;
  /** Milliseconds since 1970. */
  readonly sentAt: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Counts up, so that what comes back finds its place. */
  readonly number: number;
  /** The number of the message, also when it is a dead letter now. */
  readonly id: number;
  /** How many times it was handed out under a lease. */
  readonly deliveries: number;
}

/** The first half of a message's id. */
export function high({ id }: Pick<Filed, 'id'>): number {
  return id < 2 ** 32 ? 0 : Math.floor(id / 2 ** 32);
}

/** The second half. */
export function low({ id }: Pick<Filed, 'id'>): number {
  return id >>> 0;
}
