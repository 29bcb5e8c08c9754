// What Linux tells of processes and threads. Elsewhere nothing is known, and null is returned.

import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';

/** Processor time of a thread of this process in ms. @param thread as {@link ownThread} returns it */
export function threadCpuMs(thread: string): number | null {
  // Source: proc(5), schedstat: the time on the processor in ns, the time in the queue, the number of turns.
  const nanoseconds = Number(read(`/proc/${thread}/schedstat`)?.split(' ', 1)[0]);
  return Number.isFinite(nanoseconds) ? nanoseconds / 1e6 : null;
}

/** What the system calls the thread that asks, `812/task/815`. */
export function ownThread(): string | null {
  try {
    return readlinkSync('/proc/thread-self');
  } catch {
    return null; // not on Linux
  }
}

/** Linux counts processor time of processes in ticks of so many ms. Source: proc_pid_stat(5), sysconf(_SC_CLK_TCK). */
const tickMs = 10;

/** Processor time of a process in ms. */
export function processCpuMs(pid: number): number | null {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return Number.isFinite(ticks) ? ticks * tickMs : null;
}

/** The memory that a process has now, and the most since it began or was asked to {@link forgetPeak}, in bytes. */
export function processMemory(pid: number | 'self'): { now: number; peak: number } | null {
  const status = read(`/proc/${pid}/status`);
  const now = kilobytes(status, 'VmRSS');
  const peak = kilobytes(status, 'VmHWM');
  return now === null || peak === null ? null : { now: now * 1024, peak: peak * 1024 };
}

/** Begins to count the most memory of this process anew. Source: proc_pid_clear_refs(5). */
export function forgetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Not on Linux, or not allowed: then the most is that of all runs of this process.
  }
}

function kilobytes(status: string | null, field: string): number | null {
  const found = new RegExp(`^${field}:\\s*(\\d+) kB`, 'm').exec(status ?? '');
  return found === null ? null : Number(found[1]);
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null; // it has ended, or this is not Linux
  }
}
