// Threads and processes that wait for the next run, so that it need not wait for them.

import type { Clock } from '../clock.js';
import type { HostNeeds, HostOptions, RunHost, RunProgram } from './host.js';
import type { ToRun } from './messages.js';
import { openProcess } from './process.js';
import { openThread } from './thread.js';

/** So many wait at most, of each kind. */
const maxIdle = 4;
/** One that has waited so long is ended. */
const idleMs = 60_000;

interface Idle {
  readonly host: RunHost;
  readonly memoryMb: number;
  readonly disarm: () => void;
}

export interface PoolOptions {
  readonly program: RunProgram;
  /** What each is told first. */
  readonly begin: Extract<ToRun, { linod: 'begin' }>;
  readonly clock: Clock;
}

export class HostPool {
  readonly #options: PoolOptions;
  /** With the memory that they may take. */
  readonly #hosts = new Map<RunHost, number>();
  #idle: Idle[] = [];
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** One that waits, or a new one. It is the caller's until it is given back or has ended. */
  take(kind: RunHost['kind'], memoryMb: number): RunHost {
    const i = this.#idle.findLastIndex((idle) => fits(idle, { kind, memoryMb }));
    const [found] = i < 0 ? [] : this.#idle.splice(i, 1);
    found?.disarm();
    const host = found?.host ?? this.#open(kind, memoryMb);
    host.keep(true);
    return host;
  }

  /**
   * Sees to it that there are so many for runs that are about to begin, as far as the pool keeps them. Those in use count, as
   * they will come back: else some would be started and ended for every run of a rule of each second.
   */
  prepare(needs: HostNeeds, count: number): void {
    const there = [...this.#hosts].filter(([host, memoryMb]) => fits({ host, memoryMb }, needs)).length;
    for (let n = there; n < Math.min(count, maxIdle) && !this.#closed; n++) {
      this.giveBack(this.#open(needs.kind, needs.memoryMb), needs.memoryMb);
    }
  }

  /** Keeps one for the next run, unless there are enough. */
  giveBack(host: RunHost, memoryMb: number): void {
    host.listener = null;
    host.keep(false);
    if (this.#closed || !this.#hosts.has(host)) {
      host.kill();
      return;
    }
    const same = this.#idle.filter((idle) => idle.host.kind === host.kind);
    const [oldest] = same;
    if (same.length >= maxIdle && oldest !== undefined) this.#drop(oldest);
    const idle: Idle = {
      host,
      memoryMb,
      disarm: this.#options.clock.after(idleMs, () => this.#drop(idle)),
    };
    this.#idle.push(idle);
  }

  /** How many there are, for those who look after the machine. */
  get size(): number {
    return this.#hosts.size;
  }

  /** Ends all of them, and waits until they have. Safe to call twice. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { disarm } of this.#idle) disarm();
    this.#idle = [];
    const hosts = [...this.#hosts.keys()];
    for (const host of hosts) {
      // Who waits for them must not come to the end of its event loop before.
      host.keep(true);
      host.kill();
    }
    await Promise.all(hosts.map((host) => host.ended));
  }

  #open(kind: RunHost['kind'], memoryMb: number): RunHost {
    const { program, begin } = this.#options;
    const options: HostOptions = { program, directory: begin.directory, memoryMb };
    const host = kind === 'thread' ? openThread(options) : openProcess(options);
    this.#hosts.set(host, memoryMb);
    void host.ended.then(() => {
      this.#hosts.delete(host);
      for (const idle of this.#idle.filter((idle) => idle.host === host)) this.#drop(idle);
    });
    host.post(begin);
    return host;
  }

  #drop(idle: Idle): void {
    idle.disarm();
    this.#idle = this.#idle.filter((other) => other !== idle);
    idle.host.kill();
  }
}

function fits({ host, memoryMb }: Pick<Idle, 'host' | 'memoryMb'>, needs: HostNeeds): boolean {
  return host.kind === needs.kind && memoryMb === needs.memoryMb && !host.isOver;
}
