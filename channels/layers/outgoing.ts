// How all layers encode many messages at once.

import { ChannelsError, InvalidMessageError } from '../errors.js';
import { accepted, checkMessage, type SendOutcome } from '../layer.js';

/** Encoded messages of one call. */
export interface Outgoing<B> {
  /** One for each message. Sendable messages count as accepted until the store refuses them. */
  readonly outcomes: SendOutcome[];
  /** The bytes of the sendable messages, each with the index of its outcome. */
  readonly sendable: ReadonlyArray<{ readonly bytes: B; readonly index: number }>;
}

/** Encodes messages at once, so that later changes by the caller do not count. Refuses invalid messages. */
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

/**
 * Reads a message. An error in a getter of the message becomes an InvalidMessageError.
 *
 * @throws InvalidMessageError
 */
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

/** Waits for all promises, then rejects with the first failure. */
export async function allDone<T>(work: ReadonlyArray<Promise<T>>): Promise<T[]> {
  return (await Promise.allSettled(work)).map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}
