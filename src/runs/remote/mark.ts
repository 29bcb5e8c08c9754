// Finds and kills processes that a run has started and that have left its process group.

import { readdir, readFile } from 'node:fs/promises';

/** The variable in the environment of what a run in a process of its own starts. */
export const runVariable = 'LINOD_RUN';

/** The value of {@link runVariable}, unique on a machine. */
export function markOf(workerId: string, jobId: number): string {
  return `${workerId} job ${jobId}`;
}

/** Maximum of searches. A process may start another one during a search. */
const maxSearches = 5;

/**
 * Kills all processes that carry the mark of a run. Never rejects. Does nothing where there is no `/proc`,
 * and misses processes with an environment of their own or of another user.
 */
export async function killMarked(mark: string): Promise<void> {
  for (let searches = 0; searches < maxSearches; searches++) {
    const pids = await markedProcesses(mark);
    if (pids.length === 0) return;
    for (const pid of pids) killQuietly(pid);
  }
}

/** Source: proc_pid_environ(5): the environment when the program began, each variable ended by a NUL. */
async function markedProcesses(mark: string): Promise<number[]> {
  const wanted = `\0${runVariable}=${mark}\0`;
  const pids: number[] = [];
  for (const name of await readdir('/proc').catch(() => [])) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    // A zombie has none any more.
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
    if (`\0${environment}`.includes(wanted)) pids.push(pid);
  }
  return pids;
}

/** @param pid negative for a group */
export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
