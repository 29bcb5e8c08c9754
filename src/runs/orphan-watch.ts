// A small thread in a process of runs: ends the process when its worker is gone, also while a procedure never lets the
// event loop turn.

import { workerData } from 'node:worker_threads';

const lookMs = 250;
const worker: unknown = workerData;

setInterval(() => {
  // The system gives a process whose parent has ended another parent.
  if (process.ppid !== worker) process.kill(-process.pid, 'SIGKILL');
}, lookMs);
