// Finds what a run has started and what has left its group of processes since, as `setsid` and `detached: true` do. It
// carries the mark of the run in its environment, which every program inherits that is not given another one.

import { readdir, readFile } from 'node:fs/promises';

/** The variable in the environment of what a run in a process of its own starts. */
export const runVariable = 'LINOD_RUN';

/** So often is looked again, for what was started meanwhile. */
const mostLooks = 5;

/** What stands there: no two runs on a machine have the same. */
export function markOf(workerId: string, jobId: number): string {
  return `${workerId} job ${jobId}`;
}

/**
 * Ends all that carries the mark of a run, at once. Never rejects. Does nothing where there is no `/proc`, and does not find
 * what was given an environment of its own, or belongs to another user.
 */
export async function killMarked(mark: string): Promise<void> {
  for (let looks = 0; looks < mostLooks; looks++) {
    const pids = await marked(mark);
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
  }
}

/** Source: proc_pid_environ(5): the environment as it was when the program began, each variable ended by a NUL. */
async function marked(mark: string): Promise<number[]> {
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
