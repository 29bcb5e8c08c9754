// How a sender reaches the logger coroutine.

import type { LogAnswer, LogRecords } from '../messages.js';

/** A batch before the transport says where its acknowledgement is to go. */
export type OutgoingRecords = Omit<LogRecords, 'reply_channel'>;

/** How answers get back to a sender. Must not throw. */
export type Reply = (answer: LogAnswer) => void;

/**
 * Carries batches to the logger coroutine and its answers back. May lose, double, delay or reorder any of them, in either
 * direction: the sender and the writer are made for that.
 */
export interface LogTransport {
  /** Adds one who is told of answers, also of those to others. @returns what ends that */
  listen(onAnswer: Reply): () => void;
  /** Hands a batch on. Rejects when that is not possible now; the sender tries again later. */
  deliver(batch: OutgoingRecords): Promise<void>;
  /** Gives up what keeps the process alive; the next `deliver` opens it anew. */
  rest(): Promise<void>;
  /** Ends it for good. Safe to call twice. */
  close(): Promise<void>;
}

/** What takes batches in this process: the logger coroutine's writer. */
export interface LocalReceiver {
  accept(batch: LogRecords, reply: Reply): void;
}
