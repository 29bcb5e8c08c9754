// Describes the listeners of a worker in a clause.

import { beatMs } from '../../channels/waiting/beat.js';
import { durationText } from '../base/duration.js';
import { isSuspended } from '../base/process-owner.js';
import { printable } from '../log/format/unsafe.js';
import { type ListenerHealth, parseHealth } from '../membership/worker-health.js';
import type { WorkerRow } from '../store/schema.js';

/** An older heartbeat says nothing about the present. */
export const staleMs = 3 * beatMs;

/**
 * `3 waiting`, or with problems first: `linod_mysite deaf for 14 s, 2 waiting`.
 *
 * @param now ms since 1970
 */
export function listenersText(
  { health, heartbeat_at }: Pick<WorkerRow, 'health' | 'heartbeat_at'>,
  now: number,
): string {
  const ageMs = now - heartbeat_at;
  const found = parseHealth(health);
  if (ageMs > staleMs) return `unknown, no heartbeat for ${durationText(ageMs)}`;
  if (found === null) return 'not known yet';
  const parts = [
    ...deafTexts({ health, heartbeat_at }, now),
    ...found.listeners
      .filter(({ state }) => state === 'restarting')
      .map(({ channel, lastError }) => `${shown(channel)} restarting${lastError ? `: ${lastError}` : ''}`),
  ];
  for (const state of ['busy', 'paused', 'waiting'] as const) {
    const count = found.listeners.filter((listener) => listener.state === state).length;
    if (count > 0) parts.push(`${count} ${state}`);
  }
  if (found.loggerTrouble !== null) parts.push(found.loggerTrouble);
  if (found.tasks === 'paused') parts.push('no new work is taken');
  return printable(parts.join(', '));
}

/** `linod_mysite deaf for 14 s` for each deaf channel of the worker. @param now ms since 1970 */
export function deafTexts(
  { health, heartbeat_at }: Pick<WorkerRow, 'health' | 'heartbeat_at'>,
  now: number,
): string[] {
  const listeners = parseHealth(health)?.listeners ?? [];
  const deaf = listeners.filter(({ state }) => state === 'deaf');
  return deaf.map((listener) => printable(deafText(listener, now - heartbeat_at)));
}

/** The effect of a suspended process; null when the process is not suspended, or on another machine. */
export function suspendedText({
  id,
  host,
  pid,
  pid_start,
  health,
}: Pick<WorkerRow, 'id' | 'host' | 'pid' | 'pid_start' | 'health'>): string | null {
  if (!isSuspended({ host, pid, start: pid_start })) return null;
  const isWriting = parseHealth(health)?.logger === 'writing';
  const stopped = isWriting ? '; meanwhile lino.log is not written and records are kept' : '';
  return `worker ${id} is suspended${stopped}: continue it (kill -CONT ${pid}) or end it (kill -KILL ${pid})`;
}

function deafText({ channel, heardMsAgo }: ListenerHealth, ageMs: number): string {
  if (heardMsAgo === null) return `${shown(channel)} deaf`;
  return `${shown(channel)} deaf for ${durationText(heardMsAgo + ageMs)}`;
}

/** The name of a worker's own channel means nothing to people. */
function shown(channel: string): string {
  return channel.includes('!') ? 'its own channel' : channel;
}
