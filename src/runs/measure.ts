// What a run uses of the machine, as the thread or process in which it takes place can tell.

import type { HostNeeds } from './host.js';
import type { Usage } from './messages.js';
import { forgetPeak, processMemory, threadCpuMs } from './proc.js';

/** How often a thread looks at its heap: V8 keeps no record of the most. */
const lookMs = 250;

/** Measures one run, from when it is made. */
export class Measure {
  readonly #kind: HostNeeds['kind'];
  readonly #cpuBefore: number | null;
  readonly #timer: NodeJS.Timeout | null;
  #mostHeap = 0;

  constructor(kind: HostNeeds['kind']) {
    this.#kind = kind;
    if (kind === 'process') forgetPeak();
    this.#timer = kind === 'thread' ? setInterval(() => this.#look(), lookMs).unref() : null;
    this.#cpuBefore = this.#cpu();
  }

  /** What the run has used until now. */
  usage(): Usage {
    const now = this.#cpu();
    const cpuMs = now === null || this.#cpuBefore === null ? null : Math.round(now - this.#cpuBefore);
    return { cpuMs, memoryBytes: this.#kind === 'thread' ? this.#look() : mostOfProcess() };
  }

  /** The run has ended. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #cpu(): number | null {
    if (this.#kind === 'thread') return threadCpuMs('thread-self');
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  }

  /**
   * The most that this thread had of its own at any look. What V8 has reserved counts, used or not: it grows at once and
   * shrinks late, so that few looks see nearly the most. Native code tells nothing of its memory but that of buffers.
   */
  #look(): number {
    const { heapTotal: heap, external: buffers } = process.memoryUsage();
    this.#mostHeap = Math.max(this.#mostHeap, heap + buffers);
    return this.#mostHeap;
  }
}

function mostOfProcess(): number {
  return processMemory('self')?.peak ?? process.resourceUsage().maxRSS * 1024;
}
