// Runs in a thread of this process: quick to start, with a heap of their own. A native crash takes the process with it.

import { Worker } from 'node:worker_threads';
import type { HostEnd, HostListener, HostOptions, RunHost } from './host.js';
import { readLines } from './lines.js';
import { parseFromRun, type ToRun, type Usage } from './messages.js';
import { threadCpuMs } from './proc.js';

/** Starts a thread. */
export function openThread({ program, directory, memoryMb }: HostOptions): RunHost {
  return new Thread(
    new Worker(program.url, {
      stdout: true,
      stderr: true,
      argv: [directory],
      ...(memoryMb > 0 ? { resourceLimits: { maxOldGenerationSizeMb: memoryMb } } : {}),
      ...(program.execArgv === undefined ? {} : { execArgv: [...program.execArgv] }),
    }),
  );
}

class Thread implements RunHost {
  readonly kind = 'thread';
  readonly ended: Promise<HostEnd>;
  isOver = false;
  listener: HostListener | null = null;
  readonly #worker: Worker;
  #thread: string | null = null;
  #cpuBefore: number | null = null;

  constructor(worker: Worker) {
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

    worker.on('message', (value) => this.#onMessage(value));
    for (const stream of ['stdout', 'stderr'] as const) {
      readLines(worker[stream], (line) => this.listener?.onPrint(stream, line));
    }
    this.keep(false);
  }

  post(message: ToRun): void {
    if (message.linod === 'run') this.#cpuBefore = this.#cpu();
    this.#worker.postMessage(message);
  }

  kill(): void {
    void this.#worker.terminate();
  }

  /** Its heap is told by itself alone. */
  usage(): Usage {
    const cpu = this.#cpu();
    return { cpuMs: cpu === null ? null : Math.round(cpu - (this.#cpuBefore ?? 0)), memoryBytes: null };
  }

  keep(alive: boolean): void {
    if (alive) this.#worker.ref();
    else this.#worker.unref();
  }

  #cpu(): number | null {
    return this.#thread === null ? null : threadCpuMs(this.#thread);
  }

  #onMessage(value: unknown): void {
    const message = parseFromRun(value);
    if (message === null) return;
    if (message.linod === 'ready') this.#thread = message.thread;
    this.listener?.onMessage(message);
  }
}
