// Messages on their way into the tables of the embedded layer, and out of them.

import type { DroppedMessage } from '../../layer.js';

/** Messages for one key, of one sender. */
export interface NewMessages {
  /** A general channel's name, or the part of a specific one up to the `!`. */
  readonly key: string;
  /** The full names that they are for: for a general channel just the key. */
  readonly channels: readonly string[];
  readonly bodies: readonly Uint8Array[];
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** How many unexpired messages may lie under the key. */
  readonly capacity: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface NewMessage extends Omit<NewMessages, 'bodies'> {
  readonly body: Uint8Array;
}

/** A message that was taken. */
export interface StoredMessage {
  readonly channels: readonly string[];
  readonly body: Uint8Array;
}

/** Told of messages under a key that were thrown away; twice when a full disk undoes it and it is done again. */
export type OnDropped = (key: string, reason: DroppedMessage['reason'], count: number) => void;
