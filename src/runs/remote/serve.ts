// The program of a thread or a process of runs: it loads the site's procedures once, and then runs one after
// the other as its worker says.

import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { killMarked, runVariable } from './mark.js';
import type { FromRun } from './messages.js';
import { type RunPort, RunServer } from './server.js';

/**
 * Ends a process when its worker is gone, also while a procedure never lets the event loop turn: the system
 * gives an orphan another parent.
 */
const orphanWatch = `const { workerData } = require('node:worker_threads');
setInterval(() => { if (process.ppid !== workerData) process.kill(-process.pid, 'SIGKILL'); }, 250);`;

class ProcessPort implements RunPort {
  readonly kind = 'process';

  post(message: FromRun): void {
    // Without a worker nobody listens, and this process is about to end.
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  }

  onMessage(listener: (value: unknown) => void): void {
    process.on('message', listener);
    process.on('disconnect', endGroup);
  }

  followWorker(pid: number): void {
    const resourceLimits = { maxOldGenerationSizeMb: 8 };
    new Worker(orphanWatch, { eval: true, workerData: pid, execArgv: [], resourceLimits }).unref();
  }

  end(last: FromRun): void {
    if (!process.connected) endGroup();
    process.send?.(last, undefined, undefined, () => process.exit(1));
  }
}

class ThreadPort implements RunPort {
  readonly kind = 'thread';

  post(message: FromRun): void {
    parentPort?.postMessage(message);
  }

  onMessage(listener: (value: unknown) => void): void {
    parentPort?.on('message', listener);
  }

  /** A thread ends with its process. */
  followWorker(): void {}

  end(last: FromRun): void {
    this.post(last);
    process.exit(1);
  }
}

/** Ends this process with all that it has started. */
function endGroup(): void {
  const mark = process.env[runVariable];
  const marked = mark === undefined ? Promise.resolve() : killMarked(mark);
  void marked.then(() => process.kill(-process.pid, 'SIGKILL'));
}

new RunServer(isMainThread ? new ProcessPort() : new ThreadPort()).listen();
