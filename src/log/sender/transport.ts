// How a sender reaches the logger coroutine.

import type { LogAnswer, LogRecords } from '../messages.js';

/** A batch without the channel for its acknowledgement, which the transport adds. */
export type OutgoingRecords = Omit<LogRecords, 'reply_channel'>;

/** How answers get back to a sender. Must not throw. */
export type Reply = (answer: LogAnswer) => void;

/**
 * Carries batches to the logger coroutine, and answers back. May lose, double, delay or reorder both: the
 * sender and the writer repair that.
 */
export interface LogTransport {
  /** Adds a listener for all answers, also those to other senders. @returns what removes it */
  listen(onAnswer: Reply): () => void;
  /** Sends a batch. Rejects when that is not possible now; the sender tries again later. */
  deliver(batch: OutgoingRecords): Promise<void>;
  /** Closes what keeps the process alive. The next `deliver` opens it again. */
  suspend(): Promise<void>;
  /** Ends it for good. Safe to call twice. */
  close(): Promise<void>;
}

/** A receiver of batches in this process: the logger coroutine's writer. */
export interface LocalReceiver {
  accept(batch: LogRecords, reply: Reply): void;
}
