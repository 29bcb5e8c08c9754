// What a thread or a process of runs does: it listens to its worker.

import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import type { FromRun } from './messages.js';
import { type RunPort, RunServer } from './server.js';

/** A process and its worker talk over a channel that Node opens between them. */
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

  /** A worker that is killed cannot end its processes, and one that is busy does not hear that it is alone. */
  followWorker(pid: number): void {
    const url = new URL('./orphan-watch.js', import.meta.url);
    new Worker(url, { workerData: pid, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 8 } }).unref();
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
  process.kill(-process.pid, 'SIGKILL');
}

/**
 * Listens to the worker of this thread or process, and runs what it says.
 *
 * @param onIdle called when a run has ended, and what is to be done at leisure can be
 */
export function serveRuns(onIdle: () => void): void {
  new RunServer(isMainThread ? new ProcessPort() : new ThreadPort(), onIdle).listen();
}
