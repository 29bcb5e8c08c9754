// What liveness, readiness and start-up are, as functions over facts.
//
// An outage of the database or of the channel layer makes a process not ready. It never makes it dead, because a
// restart cures no outage.

import type { ListenerHealth } from '../membership/worker-health.js';

export type Phase = 'starting' | 'running' | 'stopping';

export interface HealthFacts {
  readonly phase: Phase;
  /** What is wrong with the database and with the channel layer; undefined for what the process does not use. */
  readonly database?: string | null | undefined;
  readonly layer?: string | null | undefined;
  /** Whether the last heartbeat could not be written. */
  readonly heartbeatFails: boolean;
  readonly listeners: readonly ListenerHealth[];
}

/** One line of an answer. */
export interface Check {
  readonly name: string;
  /** Null if all is well. */
  readonly problem: string | null;
}

/** The loop turns, or nothing would ask. */
export function livenessChecks(): Check[] {
  return [{ name: 'loop', problem: null }];
}

export function startupChecks({ phase }: HealthFacts): Check[] {
  return [{ name: 'started', problem: phase === 'starting' ? 'the process is starting' : null }];
}

/** Whether the process can take messages and due times, and write. */
export function readinessChecks(facts: HealthFacts): Check[] {
  const { phase, database, layer, heartbeatFails, listeners } = facts;
  const checks: Check[] = [
    { name: 'running', problem: phase === 'running' ? null : `the process is ${phase}` },
  ];
  if (phase !== 'running') return checks;
  if (database !== undefined) {
    checks.push({ name: 'database', problem: database });
    const failed = heartbeatFails ? 'the last heartbeat could not be written' : null;
    checks.push({ name: 'heartbeat', problem: failed });
  }
  if (layer !== undefined) checks.push({ name: 'layer', problem: layer });
  for (const { channel, state, lastError } of listeners) {
    const name = `listener ${channel.includes('!') ? 'of this process' : channel}`;
    const isWell = state !== 'deaf' && state !== 'restarting';
    checks.push({ name, problem: isWell ? null : state === 'deaf' ? 'deaf' : (lastError ?? 'restarting') });
  }
  return checks;
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
