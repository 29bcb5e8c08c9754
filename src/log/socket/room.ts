// Whether a sender has room for more records, for sources that can wait: a pipe, a socket.

import { type Clock, pause } from '../../base/clock.js';
import { batchBytes } from '../batch.js';
import type { LogSender } from '../sender/sender.js';

/** Room for what was read before reading pauses. */
const slackBytes = 4 * batchBytes;
/** For memory, where records are kept while no file can be written. */
const memoryBytes = 2 * 1024 ** 2;
const lookMs = 50;

export interface RoomOptions {
  readonly sender: Pick<LogSender, 'spooled'>;
  readonly clock: Clock;
  /** Called when waiting begins: records arrive faster than they are written, or no worker writes them. */
  readonly onWait?: () => void;
}

/** Up to half of the spool: above that, DEBUG is dropped, and the rest is for the sender's other users. */
export function hasRoom({ spooled }: Pick<LogSender, 'spooled'>): boolean {
  const { diskLimitBytes: limit } = spooled;
  const diskBytes = Math.max(limit / 2 - slackBytes, limit / 4);
  return spooled.diskBytes < diskBytes && spooled.memoryBytes < memoryBytes;
}

/** Resolves when there is room for more, or `signal` is aborted. */
export async function waitForRoom(
  { sender, clock, onWait }: RoomOptions,
  signal: AbortSignal,
): Promise<void> {
  if (hasRoom(sender)) return;
  onWait?.();
  while (!hasRoom(sender) && !signal.aborted) await pause(clock, lookMs, signal);
}
