// Runs in a process of their own. It leads a group of processes, which is ended as a whole. A child that has
// left the group, as `setsid` and `detached: true` do, is found by a mark in its environment.

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  type HostEnd,
  type HostListener,
  type HostNeeds,
  type RunHost,
  type RunProgram,
  readLines,
} from './host.js';
import { killMarked, killQuietly, markOf } from './mark.js';
import { parseFromRun, type ToRun } from './messages.js';
import { processMemory } from './usage.js';

/** How often the memory of a process is compared with its limit. */
const measureEveryMs = 100;
/** Node itself may take this much on top of a limit. */
const ownMemory = 96 * 1024 * 1024;
/**
 * How long to wait for what was printed last: a child that has left the group may hold the pipe open for
 * ever.
 */
const lastWordsMs = 500;

/** V8 prints this when a heap is full, and aborts the process. */
const heapIsFull = /heap out of memory|Reached heap limit/;

export class Process implements RunHost {
  readonly needs: HostNeeds;
  readonly ended: Promise<HostEnd>;
  isOver = false;
  listener: HostListener | null = null;
  readonly #child: ChildProcess;
  readonly #memoryLimit: number;
  #timer: NodeJS.Timeout | undefined;
  #isOverLimit = false;
  #isReaped = false;
  #workerId = '';
  /** Of the present run. */
  #mark: string | null = null;

  constructor({ url, execArgv }: RunProgram, needs: HostNeeds) {
    this.needs = needs;
    this.#memoryLimit = needs.memoryMb * 1024 * 1024;
    const args = execArgv ?? process.execArgv.filter((option) => !option.startsWith('--inspect'));
    const limit = needs.memoryMb > 0 ? [`--max-old-space-size=${needs.memoryMb}`] : [];
    this.#child = spawn(process.execPath, [...args, ...limit, fileURLToPath(url)], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.ended = this.#follow();
    this.#child.on('message', (value) => {
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
      if (this.#memoryLimit > 0) this.#timer = setInterval(() => this.#checkMemory(), measureEveryMs).unref();
    }
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  kill(): void {
    this.#killGroup();
  }

  keep(alive: boolean): void {
    const { channel, stdout, stderr } = this.#child;
    for (const handle of [this.#child, channel, stdout, stderr]) setReferenced(handle, alive);
    if (!alive) clearInterval(this.#timer);
  }

  async #follow(): Promise<HostEnd> {
    const child = this.#child;
    let isFull = false;
    for (const stream of ['stdout', 'stderr'] as const) {
      // Without a free descriptor there is no stream, and the child's error says why.
      const readable = child[stream] ?? null;
      if (readable === null) continue;
      readLines(readable, (line) => {
        isFull ||= stream === 'stderr' && heapIsFull.test(line);
        this.listener?.onPrint(stream, line);
      });
    }
    const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
    const end = await new Promise<HostEnd>((resolve) => {
      child.on('error', (error) => resolve({ how: 'error', error }));
      child.on('exit', (code, signal) =>
        resolve(signal === null ? { how: 'exit', code: code ?? 0 } : { how: 'signal', signal }),
      );
    });
    this.isOver = true;
    clearInterval(this.#timer);
    // Its children live on in its group.
    this.#killGroup();
    this.#isReaped = true;
    // A run that came to its end by itself may leave a child behind on purpose.
    if (this.#mark !== null) await killMarked(this.#mark);
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, lastWordsMs).unref())]);
    // A last message that waits below comes before.
    await new Promise<void>(afterWhatWasPrinted);
    return isFull || this.#isOverLimit ? { how: 'memory' } : end;
  }

  /** The system would end a process that takes too much without a word. */
  #checkMemory(): void {
    const { pid } = this.#child;
    const memory = pid === undefined ? null : processMemory(pid);
    if (memory === null || memory.now <= this.#memoryLimit + ownMemory) return;
    this.#isOverLimit = true;
    this.#killGroup();
  }

  #killGroup(): void {
    const { pid } = this.#child;
    // Once it is reaped, the number may be another's.
    if (pid !== undefined && !this.#isReaped) killQuietly(-pid);
  }
}

/** A child's streams and its channel can be unreferenced, although their types do not say so. */
function setReferenced(handle: unknown, alive: boolean): void {
  const method = alive ? 'ref' : 'unref';
  const call = typeof handle === 'object' && handle !== null ? Reflect.get(handle, method) : undefined;
  if (typeof call === 'function') call.call(handle);
}

/**
 * Messages and printed lines come in different pipes, in any order. What was printed before a message was
 * sent is in its pipe by then, and is read when the event loop has looked at its pipes once more.
 */
function afterWhatWasPrinted(act: () => void): void {
  setImmediate(() => setImmediate(act));
}
