// A program that is measured: how long it takes to start, and what it costs while it waits.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** What is run, and the line by which it says that it is ready. */
export interface Subject {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly directory: string;
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly ready: RegExp;
}

/** What a process has used so far. */
export interface Usage {
  /** User and system time of all its threads; of those that have ended it is not counted. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** The most that it ever had. */
  readonly peakRssBytes: number;
}

/** Nothing that is measured here takes longer to start or to end. */
const patienceMs = 120_000;

export class Program {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  /** From the start of the process to the line. */
  readonly startMs: number;

  private constructor(child: ChildProcess, ended: Promise<unknown>, startMs: number) {
    this.#process = child;
    this.#ended = ended;
    this.startMs = startMs;
  }

  /** Starts it and waits for its line. Rejects, with what it printed, when it ends before or takes too long. */
  static async start(subject: Subject): Promise<Program> {
    const from = performance.now();
    const child = spawn(subject.command, subject.args, {
      cwd: subject.directory,
      env: { ...cleanEnvironment(), ...subject.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = once(child, 'close');
    const lines: string[] = [];
    const startMs = await new Promise<number>((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`${subject.name} ${why}:\n${lines.join('\n')}`));
      const timer = setTimeout(() => fail('did not start'), patienceMs);
      child.once('error', reject);
      child.once('close', () => {
        clearTimeout(timer);
        fail('ended before it was ready');
      });
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          lines.push(line);
          if (!subject.ready.test(line)) return;
          clearTimeout(timer);
          resolve(performance.now() - from);
        });
      }
    }).catch((error: unknown) => {
      child.kill('SIGKILL');
      throw error;
    });
    return new Program(child, ended, startMs);
  }

  /** @throws Error when it has ended meanwhile, so that nobody takes the costs of a dead one for low ones */
  usage(): Usage {
    return usageOf(this.#process.pid);
  }

  /** Asks it to end and, when it does not, kills it. */
  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), patienceMs);
    await this.#ended;
    clearTimeout(timer);
  }

  /** Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}

/** What a process has used so far. @throws Error when it has ended */
export function usageOf(pid: number | undefined): Usage {
  const tasks = `/proc/${pid}/task`;
  const cpuNs = readdirSync(tasks)
    .map((thread) => cpuNsOf(`${tasks}/${thread}/schedstat`))
    .reduce((sum, ns) => sum + ns, 0);
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const bytes = (field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
  return { cpuMs: cpuNs / 1e6, rssBytes: bytes('VmRSS'), peakRssBytes: bytes('VmHWM') };
}

/**
 * Nanoseconds that a thread has run; proc_pid_stat(5) has hundredths of a second only, which is too coarse for a process
 * that waits. Source: the kernel's Documentation/scheduler/sched-stats.rst.
 */
function cpuNsOf(schedstat: string): number {
  try {
    return Number(readFileSync(schedstat, 'latin1').split(' ')[0]);
  } catch {
    return 0; // it has ended since its directory was listed
  }
}

/** Without what this machine's other sites have set. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(LINOD?_|REDIS_URL$|DATABASE_URL$|DJANGO_|PYTHON|NODE_OPTIONS$|NODE_V8_COVERAGE$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}
