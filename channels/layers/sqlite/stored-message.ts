// Messages as the tables of the embedded layer hold them.

import type { DroppedMessage } from '../../layer.js';

/** New messages of one sender for one key. */
export interface NewMessages {
  /** A general channel's name, or a specific name up to the `!`. */
  readonly key: string;
  /** The full names of their channels; for a general channel only the key. */
  readonly channels: readonly string[];
  readonly bodies: readonly Uint8Array[];
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** The most unexpired messages under the key. */
  readonly capacity: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface NewMessage extends Omit<NewMessages, 'bodies'> {
  readonly body: Uint8Array;
}

/** A message that was taken from the table. */
export interface StoredMessage {
  readonly channels: readonly string[];
  readonly body: Uint8Array;
}

/**
 * Called for dropped messages. It is called again when a full disk undoes the transaction and the layer
 * repeats it.
 */
export type OnDropped = (key: string, reason: DroppedMessage['reason'], count: number) => void;
