// A pool of idle threads and processes, so that a run need not wait for a start.

import type { Clock } from '../../base/clock.js';
import { type HostNeeds, ownProgram, type RunHost, type RunProgram } from './host.js';
import type { ToRun } from './messages.js';
import { Process } from './process.js';
import { Thread } from './thread.js';

/** Maximum of waiting hosts of each kind. */
const maxIdle = 4;
/** A host that is idle for this long is ended. */
const idleMs = 60_000;

interface Idle {
  readonly host: RunHost;
  readonly disarm: () => void;
}

export interface PoolOptions {
  /** Default: this package's own program. */
  readonly program?: RunProgram | undefined;
  /** The first message to each. */
  readonly begin: Extract<ToRun, { linod: 'begin' }>;
  readonly clock: Clock;
}

export class HostPool {
  readonly #options: PoolOptions;
  readonly #hosts = new Set<RunHost>();
  #idle: Idle[] = [];
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** An idle host or a new one. The caller owns it until it gives it back. */
  take(needs: HostNeeds): RunHost {
    const i = this.#idle.findLastIndex(({ host }) => fits(host, needs));
    const [found] = i < 0 ? [] : this.#idle.splice(i, 1);
    found?.disarm();
    const host = found?.host ?? this.#open(needs);
    host.keep(true);
    return host;
  }

  /** Keeps a host for the next run. A full pool drops the host that has waited longest. */
  giveBack(host: RunHost): void {
    host.listener = null;
    host.keep(false);
    if (this.#closed || !this.#hosts.has(host)) {
      host.kill();
      return;
    }
    const same = this.#idle.filter((idle) => idle.host.needs.kind === host.needs.kind);
    const [oldest] = same;
    if (same.length >= maxIdle && oldest !== undefined) this.#drop(oldest);
    const idle: Idle = { host, disarm: this.#options.clock.after(idleMs, () => this.#drop(idle)) };
    this.#idle.push(idle);
  }

  /** The number of hosts, idle and in use. */
  get size(): number {
    return this.#hosts.size;
  }

  /** Ends all of them, and waits until they have. Safe to call twice. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { disarm } of this.#idle) disarm();
    this.#idle = [];
    const hosts = [...this.#hosts];
    for (const host of hosts) {
      // Keeps the event loop of the waiting program alive.
      host.keep(true);
      host.kill();
    }
    await Promise.all(hosts.map((host) => host.ended));
  }

  #open(needs: HostNeeds): RunHost {
    const { program = ownProgram(), begin } = this.#options;
    const host = needs.kind === 'thread' ? new Thread(program, needs) : new Process(program, needs);
    this.#hosts.add(host);
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

function fits(host: RunHost, needs: HostNeeds): boolean {
  const { kind, memoryMb } = host.needs;
  return kind === needs.kind && memoryMb === needs.memoryMb && !host.isOver;
}
