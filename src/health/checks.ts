// What readiness is, and what only a restart cures.
//
// An outage of the database or of the channel layer makes a process not ready. It never makes it dead, because a
// restart cures no outage.

import type { ChannelStats } from '../../channels/index.js';
import { listenerHealth } from '../membership/worker-health.js';

export type Phase = 'starting' | 'running' | 'stopping';

/** What a running process uses. */
export interface CheckedParts {
  /** Undefined in a process without a database. */
  readonly databaseProbe: Checked | undefined;
  readonly layerProbe: Checked;
  /** Whether the last heartbeat could not be written. */
  readonly heartbeatFails: () => boolean;
  readonly channels: () => readonly ChannelStats[];
}

interface Checked {
  /** @returns what is wrong, or null */
  check(): Promise<string | null>;
}

/** One line of an answer. */
export interface Check {
  readonly name: string;
  /** Null if all is well. */
  readonly problem: string | null;
}

/** Whether a running process can take messages and due times, and write. */
export async function partChecks(parts: CheckedParts): Promise<Check[]> {
  const [database, layer] = await Promise.all([parts.databaseProbe?.check(), parts.layerProbe.check()]);
  const failed = parts.heartbeatFails() ? 'the last heartbeat could not be written' : null;
  const store: Check[] =
    database === undefined
      ? []
      : [
          { name: 'database', problem: database },
          { name: 'heartbeat', problem: failed },
        ];
  return [...store, { name: 'layer', problem: layer }, ...parts.channels().map(listenerCheck)];
}

function listenerCheck(stats: ChannelStats): Check {
  const { channel, state, lastError } = listenerHealth(stats);
  const name = `listener ${channel.includes('!') ? 'of this process' : channel}`;
  if (state === 'restarting') return { name, problem: lastError ?? state };
  return { name, problem: state === 'deaf' ? state : null };
}

export interface HangFacts {
  /** How long a question to the database or the layer has had neither an answer nor a failure. */
  readonly databasePendingMs: number;
  readonly layerPendingMs: number;
  /** How long a listener has been deaf although the layer is not known to be away. */
  readonly deafMs: number;
  /** Within which systemd wants a ping. */
  readonly watchdogMs: number;
}

/** Longer than any time limit of the drivers: after those, a store that is away has failed, and is waited for. */
const hangAfterMs = 60_000;

/**
 * What only a restart cures; null if there is nothing. A store that is away is waited for: its calls fail in
 * time. A call that neither succeeds nor fails hangs.
 */
export function whatHangs({
  databasePendingMs,
  layerPendingMs,
  deafMs,
  watchdogMs,
}: HangFacts): string | null {
  if (databasePendingMs > hangAfterMs) return 'a call to the database hangs';
  if (layerPendingMs > hangAfterMs) return 'a call to the channel layer hangs';
  // It has had that long to recover by itself.
  if (deafMs > 2 * watchdogMs) return 'a listener is deaf although the channel layer is there';
  return null;
}
