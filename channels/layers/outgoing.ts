// What the layers have in common when many messages are sent at once.

import { ChannelsError, InvalidMessageError } from '../errors.js';
import { accepted, checkMessage, type SendOutcome } from '../layer.js';

/** Messages in the bytes of a layer. */
export interface Outgoing<B> {
  /** For each message; those that can be sent count as accepted for now. */
  readonly outcomes: SendOutcome[];
  /** The bytes of those that can be sent, each with the place of its outcome. */
  readonly sendable: ReadonlyArray<{ readonly bytes: B; readonly index: number }>;
}

/** Writes messages at once, so that what is changed later is not sent; those that are none are refused. */
export function writeEach<B>(
  messages: readonly unknown[],
  write: (message: Readonly<Record<string, unknown>>) => B,
): Outgoing<B> {
  const outcomes = new Array<SendOutcome>(messages.length).fill(accepted);
  const sendable: Array<{ bytes: B; index: number }> = [];
  for (const [index, message] of messages.entries()) {
    try {
      sendable.push({ bytes: reading(() => write(checkMessage(message))), index });
    } catch (error) {
      if (!(error instanceof InvalidMessageError)) throw error;
      outcomes[index] = { accepted: false, error };
    }
  }
  return { outcomes, sendable };
}

/** Reads a message; what its getters throw is a fault of the message. @throws InvalidMessageError */
export function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof ChannelsError) throw cause;
    throw new InvalidMessageError(`the message cannot be read: ${String(cause)}`, { cause });
  }
}

export function chunks<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** Waits for all, and then rejects with the first failure. */
export async function allDone<T>(work: ReadonlyArray<Promise<T>>): Promise<T[]> {
  return (await Promise.allSettled(work)).map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}
