// Which process something belongs to, and whether that process still lives.

import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Names one process for ever: a later one with the same number has another start. */
export interface Owner {
  /** The machine, and on Linux the process namespace, in which the number means something. */
  readonly host: string;
  readonly pid: number;
  /** From the system, in ticks since boot; empty where the system has no such value. */
  readonly start: string;
}

export type OwnerState = 'alive' | 'dead' | 'elsewhere';

let own: Owner | undefined;

/** This process. */
export function ownProcess(): Owner {
  own ??= { host: hostName(), pid: process.pid, start: processStart(process.pid) ?? '' };
  return own;
}

/**
 * Whether a process of this machine was stopped by a signal (SIGSTOP), and does nothing until it is
 * continued.
 */
export function isSuspended(owner: Owner): boolean {
  return owner.host === ownProcess().host && processStat(owner.pid)?.state === 'T';
}

/** Whether a process lives. Processes of other machines and containers cannot be seen: `elsewhere`. */
export function ownerState(owner: Owner): OwnerState {
  if (owner.host !== ownProcess().host) return 'elsewhere';
  const start = processStart(owner.pid);
  if (start !== undefined) return start === owner.start ? 'alive' : 'dead';
  return owner.start === '' && answersSignals(owner.pid) ? 'alive' : 'dead';
}

/**
 * Distinguishes a process from a later one with the same pid; undefined without the process or without
 * `/proc`.
 */
export function processStart(pid: number): string | undefined {
  const stat = processStat(pid);
  // A zombie has ended; only its parent has not asked yet how.
  return stat === undefined || stat.state === 'Z' || stat.state === 'X' ? undefined : stat.start;
}

/**
 * Source: proc_pid_stat(5): fields 3 and 22, counted behind the command's name, which may hold spaces and
 * brackets.
 */
function processStat(pid: number): { state: string; start: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', start: fields[19] ?? '' };
  } catch {
    // No such process, or no such file system: both mean that nothing is known.
    return undefined;
  }
}

function hostName(): string {
  try {
    return `${hostname()}/${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    // Only Linux has namespaces.
    return hostname();
  }
}

function answersSignals(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
