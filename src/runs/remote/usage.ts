// Measures the CPU time and memory of a run. Some values are known only on Linux, from /proc.

import { readFileSync, writeFileSync } from 'node:fs';
import type { HostNeeds } from './host.js';
import type { Usage } from './messages.js';

/** How often a thread polls its heap size, because V8 keeps no maximum. */
const pollMs = 250;

/** Measures one run from within its thread or process, from when it is made. */
export class Measure {
  readonly #kind: HostNeeds['kind'];
  readonly #cpuBefore: number | null;
  readonly #timer: NodeJS.Timeout | undefined;
  #mostHeap = 0;

  constructor(kind: HostNeeds['kind']) {
    this.#kind = kind;
    if (kind === 'process') forgetPeak();
    else this.#timer = setInterval(() => this.#poll(), pollMs).unref();
    this.#cpuBefore = this.#cpu();
  }

  /** What the run has used until now. */
  usage(): Usage {
    const now = this.#cpu();
    const cpuMs = now === null || this.#cpuBefore === null ? null : now - this.#cpuBefore;
    const memoryBytes =
      this.#kind === 'thread'
        ? this.#poll()
        : (processMemory('self')?.peak ?? process.resourceUsage().maxRSS * 1024);
    return { cpuMs, memoryBytes };
  }

  /** The run has ended. */
  close(): void {
    clearInterval(this.#timer);
  }

  #cpu(): number | null {
    if (this.#kind === 'thread') return threadCpuMs();
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  }

  /**
   * The most that this thread had at any look. What V8 has reserved counts: it grows at once and shrinks
   * late, so that few looks see nearly the most. Of native code only buffers are known.
   */
  #poll(): number {
    const { heapTotal: heap, external: buffers } = process.memoryUsage();
    this.#mostHeap = Math.max(this.#mostHeap, heap + buffers);
    return this.#mostHeap;
  }
}

/** Processor time of this thread in ms. */
function threadCpuMs(): number | null {
  // Source: proc(5), schedstat: the time on the processor in ns, the time in the queue, the number of turns.
  const nanoseconds = Number(read('/proc/thread-self/schedstat')?.split(' ', 1)[0]);
  return Number.isFinite(nanoseconds) ? nanoseconds / 1e6 : null;
}

/**
 * The memory that a process has now, and the most since it began or the last {@link forgetPeak}, in bytes.
 */
export function processMemory(pid: number | 'self'): { now: number; peak: number } | null {
  const status = read(`/proc/${pid}/status`) ?? '';
  const [now, peak] = ['VmRSS', 'VmHWM'].map(
    (field) => new RegExp(`^${field}:\\s*(\\d+) kB`, 'm').exec(status)?.[1],
  );
  return now === undefined || peak === undefined
    ? null
    : { now: Number(now) * 1024, peak: Number(peak) * 1024 };
}

/** Begins to count the most memory of this process anew. Source: proc_pid_clear_refs(5). */
function forgetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Not on Linux, or not allowed: then the most is that of all runs of this process.
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null; // it has ended, or this is not Linux
  }
}
