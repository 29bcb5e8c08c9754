// Whether a process that left its pid behind is still there: pids are used again, so the start time belongs to it.

import { readFileSync } from 'node:fs';

/**
 * What tells a process from a later one with the same pid: its start time in clock ticks after the machine's
 * start, from `/proc`. Empty where there is no `/proc`, or no such process.
 *
 * Source: proc_pid_stat(5), field 22.
 */
export function processStart(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command in parentheses and may itself hold blanks and parentheses.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return ''; // no such process, or no /proc: the caller goes by the pid alone
  }
}

/** Whether the process with this pid, and this start time unless it is empty, still runs on this machine. */
export function isProcessAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return start === '' || processStart(pid) === start;
}
