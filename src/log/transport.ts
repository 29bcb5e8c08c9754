// How a sender reaches the logger coroutine.

import type { LogAnswer, LogProbe, LogRecords, LogSpooled } from './messages.js';

/** Messages before the transport says where answers are to go. */
export type OutgoingRecords = Omit<LogRecords, 'reply_channel'>;
export type OutgoingSpooled = Omit<LogSpooled, 'reply_channel'>;
export type OutgoingProbe = Omit<LogProbe, 'reply_channel'>;

export type Outgoing = OutgoingRecords | OutgoingSpooled | OutgoingProbe;

/**
 * Carries a sender's messages to the logger coroutine and its answers back. May lose, double, delay or reorder any
 * of them, in either direction: the sender and the writer are made for that.
 */
export interface LogTransport {
  /** Says who is to be told of answers. */
  listen(onAnswer: (answer: LogAnswer) => void): void;
  /** Hands a message on. Rejects when that is not possible now; the sender tries again later. */
  deliver(message: Outgoing): Promise<void>;
  /** Gives up what keeps the process alive; the next `deliver` opens it anew. */
  rest(): Promise<void>;
  /** Ends it for good. Safe to call twice. */
  close(): Promise<void>;
}
