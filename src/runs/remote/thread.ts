// Runs in a thread of this process: quick to start, with a heap of their own. A native crash takes the
// process with it.

import { Worker } from 'node:worker_threads';
import {
  type HostEnd,
  type HostListener,
  type HostNeeds,
  type RunHost,
  type RunProgram,
  readLines,
} from './host.js';
import { parseFromRun, type ToRun } from './messages.js';

export class Thread implements RunHost {
  readonly needs: HostNeeds;
  readonly ended: Promise<HostEnd>;
  isOver = false;
  listener: HostListener | null = null;
  readonly #worker: Worker;

  constructor({ url, execArgv }: RunProgram, needs: HostNeeds) {
    this.needs = needs;
    const worker = new Worker(url, {
      stdout: true,
      stderr: true,
      argv: [],
      ...(needs.memoryMb > 0 ? { resourceLimits: { maxOldGenerationSizeMb: needs.memoryMb } } : {}),
      ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
    });
    this.#worker = worker;
    this.ended = new Promise((resolve) => {
      const end = (how: HostEnd) => {
        this.isOver = true;
        resolve(how);
      };
      worker.on('error', (error: NodeJS.ErrnoException) =>
        end(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? { how: 'memory' } : { how: 'error', error }),
      );
      worker.on('exit', (code) => end({ how: 'exit', code }));
    });
    worker.on('message', (value) => {
      const message = parseFromRun(value);
      if (message !== null) this.listener?.onMessage(message);
    });
    for (const stream of ['stdout', 'stderr'] as const) {
      readLines(worker[stream], (line) => this.listener?.onPrint(stream, line));
    }
    this.keep(false);
  }

  post(message: ToRun): void {
    this.#worker.postMessage(message);
  }

  kill(): void {
    void this.#worker.terminate();
  }

  keep(alive: boolean): void {
    if (alive) this.#worker.ref();
    else this.#worker.unref();
  }
}
