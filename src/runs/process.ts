// Runs in a process of their own. It leads a group of processes, so that all that it has started can be ended with it; what has
// left the group is found by its mark.

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onExit } from 'signal-exit';
import type { HostEnd, HostListener, HostOptions, RunHost } from './host.js';
import { readLines } from './lines.js';
import { killMarked, markOf } from './marked.js';
import { parseFromRun, type ToRun, type Usage } from './messages.js';
import { processCpuMs, processMemory } from './proc.js';

/** How often is looked whether a process takes more memory than it may, or else only how much it takes. */
const limitedLookMs = 100;
const lookMs = 1000;
/** What was printed last may come after the end; what has left the group may hold the pipe open for ever. */
const lastWordsMs = 500;

/** V8's words when a heap is full; the process then aborts itself. */
const heapIsFull = /heap out of memory|Reached heap limit/;

/** Starts a process. */
export function openProcess({ program, directory, memoryMb }: HostOptions): RunHost {
  const inherited = process.execArgv.filter((option) => !option.startsWith('--inspect'));
  const execArgv = [
    ...(program.execArgv ?? inherited),
    ...(memoryMb > 0 ? [`--max-old-space-size=${memoryMb}`] : []),
  ];
  const child = spawn(process.execPath, [...execArgv, fileURLToPath(program.url), directory], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  return new Process(child, memoryMb * 1024 * 1024);
}

class Process implements RunHost {
  readonly kind = 'process';
  readonly ended: Promise<HostEnd>;
  isOver = false;
  listener: HostListener | null = null;
  readonly #child: ChildProcess;
  readonly #memoryLimit: number;
  readonly #forget: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isOverLimit = false;
  #isReaped = false;
  #workerId = '';
  /** Of the run that goes on there. */
  #mark: string | null = null;
  #cpuBefore: number | null = null;
  #usage: Usage = { cpuMs: null, memoryBytes: null };

  constructor(child: ChildProcess, memoryLimit: number) {
    this.#child = child;
    this.#memoryLimit = memoryLimit;
    // Should this process end by a signal or by `process.exit`. After SIGKILL the child sees to it: see serve.ts.
    this.#forget = onExit(() => this.#killGroup());
    this.ended = this.#follow();
    child.on('message', (value) => {
      const message = parseFromRun(value);
      if (message?.linod === 'end') {
        this.#mark = null;
        afterWhatWasPrinted(() => this.listener?.onMessage(message));
      } else if (message !== null) this.listener?.onMessage(message);
    });
    this.keep(false);
  }

  post(message: ToRun): void {
    if (message.linod === 'begin') this.#workerId = message.workerId;
    if (message.linod === 'run') {
      this.#mark = markOf(this.#workerId, message.jobId);
      this.#watch();
    }
    // What has ended says so by `ended`.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  kill(): void {
    this.#look();
    this.#killGroup();
  }

  usage(): Usage {
    return this.#usage;
  }

  keep(alive: boolean): void {
    const { channel, stdout, stderr } = this.#child;
    for (const handle of [this.#child, channel, stdout, stderr]) {
      if (alive) referable(handle)?.ref();
      else referable(handle)?.unref();
    }
    if (!alive) clearInterval(this.#timer);
  }

  async #follow(): Promise<HostEnd> {
    const child = this.#child;
    let isFull = false;
    for (const stream of ['stdout', 'stderr'] as const) {
      const readable = child[stream];
      if (readable === null) continue;
      readLines(readable, (line) => {
        isFull ||= stream === 'stderr' && heapIsFull.test(line);
        this.listener?.onPrint(stream, line);
      });
    }
    const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
    const end = await new Promise<HostEnd>((resolve) => {
      const tell = (how: HostEnd) => {
        this.isOver = true;
        resolve(how);
      };
      child.on('error', (error) => tell({ how: 'error', error }));
      child.on('exit', (code, signal) =>
        tell(signal === null ? { how: 'exit', code: code ?? 0 } : { how: 'signal', signal }),
      );
    });
    clearInterval(this.#timer);
    // What it has started lives on in its group.
    this.#killGroup();
    this.#isReaped = true;
    this.#forget();
    // Of a run that came to its end by itself it is its own business what it leaves behind.
    if (this.#mark !== null) await killMarked(this.#mark);
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, lastWordsMs).unref())]);
    // A last message that waits below comes before.
    await new Promise<void>(afterWhatWasPrinted);
    return isFull || this.#isOverLimit ? { how: 'memory' } : end;
  }

  #watch(): void {
    this.#usage = { cpuMs: null, memoryBytes: null };
    this.#cpuBefore = this.#cpu();
    this.#timer = setInterval(() => this.#look(), this.#memoryLimit > 0 ? limitedLookMs : lookMs);
    this.#timer.unref();
  }

  #look(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    const cpu = this.#cpu();
    const memory = processMemory(pid);
    if (cpu === null || memory === null) return;
    this.#usage = { cpuMs: cpu - (this.#cpuBefore ?? 0), memoryBytes: memory.peak };
    // The system ends without a word what takes too much of its memory; this says why.
    if (this.#memoryLimit === 0 || memory.now <= this.#memoryLimit + ownMemory) return;
    this.#isOverLimit = true;
    this.#killGroup();
  }

  #cpu(): number | null {
    const { pid } = this.#child;
    return pid === undefined ? null : processCpuMs(pid);
  }

  #killGroup(): void {
    const { pid } = this.#child;
    // Later on the number may be another's.
    if (pid === undefined || this.#isReaped) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // Nobody is left in the group.
    }
  }
}

/** What Node takes by itself, besides what a procedure does: it is not counted. */
const ownMemory = 96 * 1024 * 1024;

/** Streams and channels of a child can be told not to keep this process alive, though their types do not say so. */
function referable(handle: unknown): { ref(): void; unref(): void } | null {
  if (typeof handle !== 'object' || handle === null || !('ref' in handle) || !('unref' in handle))
    return null;
  const { ref, unref } = handle;
  if (typeof ref !== 'function' || typeof unref !== 'function') return null;
  return { ref: () => ref.call(handle), unref: () => unref.call(handle) };
}

/**
 * Messages and what is printed come in different pipes, in any order. What was printed before a message was sent is in its
 * pipe by then, as a process writes there at once, and is read when the event loop has looked at its pipes once more.
 */
function afterWhatWasPrinted(act: () => void): void {
  setImmediate(() => setImmediate(act));
}
