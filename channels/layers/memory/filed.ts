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
  /** How many times it was handed out under a lease. */
  readonly deliveries: number;
}
